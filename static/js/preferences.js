// A field holds one key: what is typed into it replaces what it holds.

for (const name of ["focusin", "click"]) {
  document.addEventListener(name, ({ target }) => target.matches("input.key") && target.select());
}
