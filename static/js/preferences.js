// A field holds one key: typing replaces it.

for (const name of ["focusin", "click"]) {
  document.addEventListener(name, ({ target }) => target.matches("input.key") && target.select());
}
