// Finds a label by letters of its name or words of its description: a combobox as in the ARIA Authoring Practices.

const MOST = 8;

export class Finder {
  constructor(input, labels, changed) {
    this.input = input;
    this.labels = labels;
    this.changed = changed;
    this.radio = input.form.querySelector("input[name=category][value=other]");
    this.before = { radio: this.radio, typed: "" };
    this.list = document.createElement("ul");
    this.list.id = "matches";
    this.list.className = "offered";
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", input.getAttribute("aria-label"));
    this.list.hidden = true;
    this.nothing = document.createElement("p");
    this.nothing.className = "offered nothing-found";
    this.nothing.setAttribute("role", "status");
    input.removeAttribute("list");
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", this.list.id);
    input.setAttribute("aria-expanded", "false");
    input.after(this.list, this.nothing);
    input.addEventListener("input", () => this.type());
    input.addEventListener("focus", () => this.begin());
    input.addEventListener("blur", () => this.close());
    input.addEventListener("keydown", (event) => this.press(event));
    this.list.addEventListener("mousedown", (event) => this.point(event));
  }

  begin() {
    const radio = this.input.form.querySelector("input[name=category]:checked");
    this.before = { radio, typed: this.input.value };
    this.offer();
  }

  type() {
    if (this.input.value === "") this.select(this.before.radio === this.radio ? null : this.before.radio);
    else this.select(this.radio);
    this.offer();
  }

  select(radio) {
    if (radio) radio.checked = true;
    else this.radio.checked = false;
    this.changed();
  }

  offer() {
    const matching = matches(this.input.value, this.labels);
    this.list.replaceChildren(...matching.map((label, index) => item(label.name, index)));
    this.list.hidden = matching.length === 0;
    this.nothing.textContent = this.list.hidden ? this.input.dataset.none : "";
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.light(0);
  }

  close() {
    this.list.hidden = true;
    this.nothing.textContent = "";
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  light(index) {
    const items = [...this.list.children];
    this.lit = items[(index + items.length) % items.length];
    for (const option of items) option.setAttribute("aria-selected", String(option === this.lit));
    if (this.lit) {
      this.input.setAttribute("aria-activedescendant", this.lit.id);
      this.lit.scrollIntoView({ block: "nearest" });
    } else {
      this.input.removeAttribute("aria-activedescendant");
    }
  }

  press(event) {
    if (event.isComposing) return;
    const at = [...this.list.children].indexOf(this.lit);
    if (event.key === "ArrowDown") this.light(at + 1);
    else if (event.key === "ArrowUp") this.light(at - 1);
    else if (event.key === "Enter") this.enter(event);
    else if (event.key === "Escape") this.putBack();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Enter chooses an option and never submits, because the text may match no category. After that, Enter submits.
  enter(event) {
    if (event.repeat || this.list.hidden) return;
    this.choose(this.lit);
    this.radio.focus();
  }

  // Keep the focus, which a click on a removed option would lose.
  point(event) {
    event.preventDefault();
    const chosen = event.target.closest("li");
    if (!chosen) return;
    this.choose(chosen);
    document.getElementById("heading").focus();
  }

  choose(chosen) {
    this.input.value = chosen.textContent;
    this.select(this.radio);
  }

  putBack() {
    this.input.value = this.before.typed;
    this.select(this.before.radio);
    (this.before.radio ?? document.getElementById("heading")).focus();
  }
}

// A label and its description, prepared for searching.
export function labelOf(name, line) {
  return { name, folded: fold(name), about: wordsOf(fold(line)) };
}

function item(name, index) {
  const element = document.createElement("li");
  element.id = `match-${index}`;
  element.setAttribute("role", "option");
  element.textContent = name;
  return element;
}

// Best first: the name's last part starts with the text, a word starts with it, the name contains it, words of the
// description start with it, the name has its letters in this order.
function matches(typed, labels) {
  const wanted = fold(typed.trim());
  const ranked = labels.map((label, place) => ({ label, place, rank: rank(label, wanted) }));
  return ranked
    .filter((entry) => entry.rank > 0)
    .sort((first, second) => second.rank - first.rank || first.place - second.place)
    .slice(0, MOST)
    .map((entry) => entry.label);
}

function rank({ folded, about }, wanted) {
  if (!wanted) return 1;
  if (folded === wanted) return 7;
  if (folded.split(" > ").at(-1).startsWith(wanted)) return 6;
  const words = wanted.split(/\s+/);
  const named = wordsOf(folded);
  if (words.every((word) => begins(named, word))) return 5;
  if (words.every((word) => folded.includes(word))) return 4;
  if (words.every((word) => begins(named, word) || begins(about, word))) return 3;
  return inOrder(folded, wanted) ? 2 : 0;
}

function begins(words, letters) {
  return words.some((word) => word.startsWith(letters));
}

function wordsOf(text) {
  return text.split(/[^\p{L}\p{N}]+/u);
}

function inOrder(name, letters) {
  let at = -1;
  return [...letters].every((letter) => (at = name.indexOf(letter, at + 1)) >= 0);
}

function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
