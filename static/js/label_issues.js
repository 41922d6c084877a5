// Keyboard shortcuts for label issues, and focus handling. Without this script the page works as plain forms.

const TYPED_INTO = "textarea, select, input:not([type=hidden])";
const PRESSED_BY_ENTER = "a, button, summary";

const desk = document.getElementById("desk");
const unsaved = document.getElementById("unsaved");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
  if (event.key === "Escape") return close();
  if (event.repeat || event.target.matches(TYPED_INTO)) return;
  if (press(event.key, event.target)) event.preventDefault();
});

function press(key, target) {
  const enter = key === "Enter" && !target.matches(PRESSED_BY_ENTER);
  // Enter also presses whatever has the focus, so it stays where single keys are turned off.
  if (!enter && !("keys" in desk.dataset)) return false;
  const wanted = enter ? "k" : key.toLowerCase();
  const control = [...document.querySelectorAll("[data-key]")].find((element) => element.dataset.key === wanted);
  if (!control) return false;
  if (control.matches("summary")) open(control.parentElement);
  else control.click();
  return true;
}

function open(details) {
  details.open = true;
  details.querySelector("select").focus();
}

function close() {
  const details = desk.querySelector("details[open]");
  if (!details) return;
  details.open = false;
  details.querySelector("summary").focus();
}

// The newest token of this browser goes along, for signing in elsewhere makes older ones worthless.

desk.addEventListener("submit", (event) => {
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  if (token) event.target.elements.csrfmiddlewaretoken.value = token[1];
}, true);

for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
  document.body.addEventListener(name, () => {
    unsaved.hidden = false;
  });
}

// Another label: the focus goes to its heading, and its keys work at once.

new MutationObserver(welcome).observe(desk, { childList: true });

function welcome() {
  unsaved.hidden = true;
  document.getElementById("heading")?.focus();
}

welcome();
