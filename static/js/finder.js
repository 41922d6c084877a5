// Finds a label by any letters of its name: a combobox with a list of its own, as the ARIA practices describe it.

const MOST = 8;

export class Finder {
  constructor(input, names, changed) {
    this.input = input;
    this.names = names;
    this.changed = changed;
    this.radio = input.form.querySelector("input[name=category][value=other]");
    this.list = document.createElement("ul");
    this.list.id = "found";
    this.list.className = "found";
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", input.getAttribute("aria-label"));
    this.list.hidden = true;
    input.removeAttribute("list");
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", this.list.id);
    input.setAttribute("aria-expanded", "false");
    input.after(this.list);
    input.addEventListener("input", () => this.offer());
    input.addEventListener("focus", () => this.offer());
    input.addEventListener("blur", () => this.close());
    input.addEventListener("keydown", (event) => this.press(event));
    // Before the input loses the focus, and with it the list.
    this.list.addEventListener("pointerdown", (event) => this.choose(event.target.closest("li")));
  }

  offer() {
    const typed = this.input.value;
    this.radio.checked = typed !== "";
    this.list.replaceChildren(...matches(typed, this.names).map((name, index) => item(name, index)));
    this.list.hidden = this.list.childElementCount === 0;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.light(0);
    this.changed();
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  light(index) {
    const items = [...this.list.children];
    this.lit = items[(index + items.length) % items.length];
    for (const one of items) one.setAttribute("aria-selected", String(one === this.lit));
    if (this.lit) {
      this.input.setAttribute("aria-activedescendant", this.lit.id);
      this.lit.scrollIntoView({ block: "nearest" });
    }
  }

  press(event) {
    if (event.isComposing) return;
    const at = [...this.list.children].indexOf(this.lit);
    if (event.key === "ArrowDown") this.light(at + 1);
    else if (event.key === "ArrowUp") this.light(at - 1);
    else if (event.key === "Enter" && !this.list.hidden) this.choose(this.lit);
    else if (event.key === "Escape") this.leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  choose(chosen) {
    if (!chosen) return;
    this.input.value = chosen.textContent;
    this.radio.checked = true;
    this.changed();
    this.leave();
  }

  // The keys of the screen work again, and Enter sends.
  leave() {
    this.close();
    this.radio.focus();
  }
}

function item(name, index) {
  const element = document.createElement("li");
  element.id = `found-${index}`;
  element.setAttribute("role", "option");
  element.textContent = name;
  return element;
}

// Best first: the last part of the name begins with what was typed, a word does, it is contained, its letters occur
// in this order.
function matches(typed, names) {
  const wanted = fold(typed.trim());
  const ranked = names.map((name, place) => ({ name, place, rank: rank(fold(name), wanted) }));
  return ranked
    .filter((one) => one.rank > 0)
    .sort((one, other) => other.rank - one.rank || one.place - other.place)
    .slice(0, MOST)
    .map((one) => one.name);
}

function rank(name, wanted) {
  if (!wanted) return 1;
  if (name === wanted) return 6;
  if (name.split(" > ").at(-1).startsWith(wanted)) return 5;
  const words = wanted.split(/\s+/);
  if (words.every((word) => name.split(/[^\p{L}\p{N}]+/u).some((part) => part.startsWith(word)))) return 4;
  if (words.every((word) => name.includes(word))) return 3;
  return inOrder(name, wanted) ? 2 : 0;
}

function inOrder(name, letters) {
  let at = -1;
  return [...letters].every((letter) => (at = name.indexOf(letter, at + 1)) >= 0);
}

function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
