// Keyboard control of the review screen. Without this script the page is a plain form; with it each action has a
// shortcut, the focus follows the ticket, and an answer that could not be sent is kept and resent.

import { Finder, labelOf } from "./finder.js";

const KEEP_MILLISECONDS = 60_000;
const LONGEST_PAUSE = 15_000;
const DOUBLE_CLICK_MILLISECONDS = 400;
const TRY_AGAIN = [408, 429]; // Statuses worth another try.
const TYPED_INTO = "textarea, select, input:not([type=radio], [type=checkbox], [type=hidden])";
const PRESSED_BY_ENTER = "a, button, summary";

const workspace = document.getElementById("workspace");
const help = document.getElementById("help");
const unsaved = document.getElementById("unsaved");
const refused = document.getElementById("refused");
const sendsAgain = document.getElementById("send-again");
const categories = [...document.querySelectorAll("#all-categories option")].map(({ value }) => {
  return labelOf(value, guideline(value)?.lastElementChild.textContent ?? "");
});
const actions = new Map(Object.entries(JSON.parse(workspace.dataset.keys)).map(([action, key]) => [key, action]));

let assignment = null;
let assignedAt = -Infinity;
let finder = null;
let pending = null; // The answer being sent: its form, its data, and the pause before the next try.

function card() {
  return document.getElementById("card");
}

function guideline(name) {
  return help.querySelector(`[data-label="${CSS.escape(name)}"]`);
}

// Messages replace the latest outcome, in the same live region.

function say(text) {
  const region = document.getElementById("outcome");
  const message = region.querySelector("p") ?? region.insertBefore(document.createElement("p"), region.firstChild);
  if (message.textContent === text) return;
  region.querySelector(".visually-hidden")?.remove();
  message.className = "warned";
  message.textContent = text;
}

// Shortcuts: one press is one action, however long the key is held.

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (help.matches(":popover-open")) {
    if (event.repeat || !["help", "guidelines"].includes(actions.get(key))) return;
    help.hidePopover();
    event.preventDefault();
    return;
  }
  if (key === "Escape") return closeDrawers();
  if (event.target.matches(TYPED_INTO)) return;
  if (event.shiftKey && alsoNames(event, key)) return event.preventDefault();
  if (event.repeat ? key === "Enter" : act(key, event.target)) event.preventDefault();
});

function act(key, target) {
  if (key === "Enter" && target.matches(PRESSED_BY_ENTER)) return false;
  return pressInDrawer(key) || perform(actions.get(key));
}

// Shift and a category's key name it as a further one. A layout that needs Shift for digits has them as keys already.
function alsoNames(event, key) {
  const digit = event.code.match(/^(?:Digit|Numpad)(\d)$/)?.[1];
  const action = actions.get(key === event.key && actions.has(key) ? "" : (digit ?? key));
  const box = action && card()?.querySelector(`[data-further="${action}"]`);
  if (!box || waits()) return false;
  if (!event.repeat) box.click();
  return true;
}

function pressInDrawer(key) {
  const open = actions.size && card().querySelector("details[open]:has([data-digit])");
  if (!open || pending || !/^\d$/.test(key)) return false;
  const control = open.querySelector(`[data-digit="${key}"]`);
  if (!control) return true; // Not a category's key now.
  control.click();
  if (control.type === "radio") closeDrawers();
  return true;
}

function perform(action) {
  if (!action || waits()) return false;
  const control = document.querySelector(`[data-action="${action}"]`);
  if (!control || control.closest("[hidden]")) return false;
  if (control === help) return showGuideline();
  if (control.matches(TYPED_INTO)) {
    control.focus();
    control.select();
  } else if (control.matches("summary")) {
    const details = control.parentElement;
    if (details.open && details.matches(".attribute")) closeDrawers();
    else openDrawer(details);
  } else {
    control.click();
  }
  return true;
}

// While an answer is being sent, nothing else acts: it would concern a ticket that is already answered.
function waits() {
  if (pending && !unsaved.hidden) say(workspace.dataset.wait);
  return pending !== null;
}

function showGuideline() {
  help.showPopover();
  guideline(chosenCategory())?.focus();
  return true;
}

function chosenCategory() {
  const chosen = card().querySelector("input[name=category]:checked");
  return (chosen?.value === "other" ? finder.input.value : chosen?.parentElement.title) ?? "";
}

// The second click of a double click was meant for the previous ticket.

workspace.addEventListener("click", (event) => {
  const late = event.timeStamp - assignedAt < DOUBLE_CLICK_MILLISECONDS;
  if (event.detail === 0 || !late || !event.target.closest("form button")) return;
  event.preventDefault();
  event.stopPropagation();
}, true);

// Drawers: one is open at a time; it takes the focus at once, and Escape returns it to the ticket.

function openDrawer(details) {
  details.open = true;
  const fields = ".drawer :is(button, textarea, select, input)";
  const field = details.querySelector(".drawer input:checked") ?? details.querySelector(fields);
  field.focus();
  if (field.type === "text") field.select();
}

workspace.addEventListener("click", (event) => {
  const details = event.target.closest("#card summary")?.parentElement;
  if (!details || details.open) return;
  event.preventDefault();
  openDrawer(details);
});

// An open drawer would close one that arrives open with the next card.
workspace.addEventListener("htmx:beforeSwap", ({ target, detail }) => {
  if (!detail.shouldSwap || target !== card()) return;
  for (const details of target.querySelectorAll("details[open]")) details.open = false;
});

function closeDrawers() {
  for (const details of card().querySelectorAll("details[open]")) {
    details.open = false;
    document.getElementById("heading").focus();
  }
}

function showChoice() {
  showAskedAttributes();
  sayWhatEnterDoes();
}

// The button's label says what Enter will do.

workspace.addEventListener("change", sayWhatEnterDoes);

function sayWhatEnterDoes() {
  const button = card().querySelector(".accept");
  if (!button?.dataset.suggestion) return;
  const chosen = new FormData(button.form);
  const named = card().querySelector("input[name=category][value=other]:checked");
  const suggested = named
    ? finder.input.value === finder.input.defaultValue && finder.input.value !== ""
    : button.dataset.suggestion.startsWith(`${chosen.get("category")}-`);
  const same = suggested && button.dataset.suggestion.endsWith(`-${chosen.get("sentiment")}`);
  button.firstElementChild.textContent = same && !attributesChanged() ? button.dataset.accept : button.dataset.correct;
}

// Attributes: each shows its answer, and those that are not asked of the chosen category are hidden.

function attributesChanged() {
  const fields = [...card().querySelectorAll(".attribute:not([hidden]) :is(input, option)")];
  return fields.some((field) => {
    if (field.matches("option")) return field.selected !== field.defaultSelected && field.value !== "";
    return field.type === "text" ? field.value !== field.defaultValue : field.checked !== field.defaultChecked;
  });
}

function showAnswer(details) {
  const chosen = [...details.querySelectorAll("input:checked, option:checked")].filter(({ value }) => value !== "");
  const names = chosen.map((field) => (field.matches("option") ? field : field.parentElement.lastElementChild).textContent);
  const text = details.querySelector("input[type=text]")?.value ?? names.join(", ");
  const shown = details.querySelector(".answer");
  shown.textContent = text === "" ? shown.dataset.none : text;
}

function showAskedAttributes() {
  const category = chosenCategory();
  for (const details of card().querySelectorAll(".attribute")) {
    const above = JSON.parse(details.dataset.above);
    details.hidden = above.length > 0 && !above.some((name) => `${category} > `.startsWith(`${name} > `));
  }
}

workspace.addEventListener("change", ({ target }) => {
  const details = target.closest(".attribute");
  if (details) showAnswer(details);
  else showAskedAttributes();
});

// A new ticket: the focus goes to its heading or to the form's first error, and its shortcuts work at once.

new MutationObserver(welcome).observe(workspace, { childList: true });

function welcome() {
  if (!card() || card() === assignment) return;
  const first = assignment === null;
  assignment = card();
  assignedAt = first ? -Infinity : performance.now();
  saved();
  const input = document.getElementById("find");
  finder = input && new Finder(input, categories, showChoice);
  showChoice();
  for (const element of assignment.querySelectorAll(".by-script")) element.hidden = false;
  const start = assignment.querySelector("[autofocus]") ?? document.getElementById("heading");
  if (!first || document.activeElement === document.body) start.focus();
}

// Sending: use the browser's newest CSRF token, because signing in in another tab invalidates older ones.

function newestToken() {
  return document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
}

workspace.addEventListener("submit", (event) => {
  if (event.target.id !== "answer" && waits()) {
    event.preventDefault();
    event.stopPropagation();
    return;
  }
  forgetSimilar();
  const token = newestToken();
  if (token) event.target.elements.csrfmiddlewaretoken.value = token;
}, true);

// A retry sends the original answer, whatever the form holds by then.

workspace.addEventListener("htmx:configRequest", ({ target, detail }) => {
  if (target.id !== "answer") return;
  refused.hidden = true;
  pending ??= { form: target, answer: detail.formData, pause: 1_000 };
  pending.answer.set("csrfmiddlewaretoken", detail.formData.get("csrfmiddlewaretoken"));
  detail.parameters = pending.answer;
});

document.body.addEventListener("htmx:error", ({ target, detail }) => {
  if (target.matches("#outcome form")) say(workspace.dataset.notUndone);
  if (target.id !== "answer" || !pending || pending.timer) return;
  const status = detail.errorInfo.xhr?.status ?? 0;
  if (status >= 400 && status < 500 && !TRY_AGAIN.includes(status)) giveUp();
  else keepAnswer();
});

function keepAnswer() {
  const first = unsaved.hidden;
  unsaved.hidden = false;
  card().inert = true;
  if (first) sendsAgain.focus();
  pending.timer = setTimeout(sendAgain, pending.pause);
}

function giveUp() {
  saved();
  card().inert = false;
  refused.hidden = false;
  refused.querySelector("a").focus();
}

function sendAgain() {
  if (!pending?.timer) return;
  clearTimeout(pending.timer);
  pending.timer = 0;
  pending.pause = Math.min(pending.pause * 2, LONGEST_PAUSE);
  pending.form.requestSubmit();
}

sendsAgain.addEventListener("click", sendAgain);

function saved() {
  pending = null;
  unsaved.hidden = true;
  refused.hidden = true;
}

addEventListener("beforeunload", (event) => {
  if (!unsaved.hidden) event.preventDefault();
});

// Similar tickets load in the background and must not delay an answer or redirect the page.

let asked = null;

workspace.addEventListener("htmx:beforeSend", (event) => {
  if (event.target.matches(".similar")) asked = event.detail.xhr;
});

function forgetSimilar() {
  if (!asked) return;
  asked.onabort = null; // Otherwise htmx reports the abort as an error.
  asked.abort();
}

workspace.addEventListener("htmx:beforeOnLoad", (event) => {
  const leadsAway = event.detail.xhr.getResponseHeader("HX-Redirect");
  if (leadsAway && event.target.matches(".similar")) event.preventDefault();
  if (leadsAway && event.target.id === "answer") unsaved.hidden = true; // The server keeps it until its sender has signed in.
});

// Highlighting stays on or off while this tab is open.

const words = document.getElementById("words");

words.addEventListener("click", () => {
  sessionStorage.setItem("marks", words.ariaPressed === "true" ? "off" : "on");
  showMarks();
});

function showMarks() {
  const off = sessionStorage.getItem("marks") === "off";
  document.documentElement.classList.toggle("unmarked", off);
  words.ariaPressed = String(!off);
}

words.hidden = false;
showMarks();

// The lease is renewed only while someone uses the page; an open window alone does not hold the ticket.

let present = false;

for (const name of ["keydown", "pointerdown", "pointermove", "wheel"]) {
  addEventListener(name, () => {
    present = true;
  }, { capture: true, passive: true });
}

setInterval(async () => {
  const form = document.getElementById("answer");
  if (!form || document.hidden || !present) return;
  present = false;
  const kept = card();
  const body = new URLSearchParams({ assignment: kept.dataset.assignment });
  const headers = { "X-CSRFToken": newestToken() ?? form.elements.csrfmiddlewaretoken.value };
  const response = await fetch(workspace.dataset.renewLease, { method: "POST", body, headers }).catch(() => null);
  if (response?.status === 409 && kept === card() && !pending) say(workspace.dataset.leaseExpired);
}, KEEP_MILLISECONDS);

welcome();
