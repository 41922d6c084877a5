// The review screen by keyboard. Without this script the page is a plain form; with it each action has a key,
// the focus follows the ticket, and an answer that could not be sent stays in the page until it is.

import { Finder, labelOf } from "./finder.js";

const KEEP_MILLISECONDS = 60_000;
const LONGEST_PAUSE = 15_000;
const DOUBLE_CLICK_MILLISECONDS = 400;
const TRY_AGAIN = [408, 429]; // Of the statuses that refuse, those that say "later".
const TYPED_INTO = "textarea, select, input:not([type=radio], [type=checkbox], [type=hidden])";
const PRESSED_BY_ENTER = "a, button, summary";

const desk = document.getElementById("desk");
const help = document.getElementById("help");
const unsaved = document.getElementById("unsaved");
const refused = document.getElementById("refused");
const sendsAgain = document.getElementById("send-again");
const categories = [...document.querySelectorAll("#all-categories option")].map(({ value }) => {
  return labelOf(value, guideline(value)?.lastElementChild.textContent ?? "");
});
const actions = new Map(Object.entries(JSON.parse(desk.dataset.keys)).map(([action, key]) => [key, action]));

let assignment = null;
let assignedAt = -Infinity;
let finder = null;
let pending = null; // An answer on its way: its form, what it said, and how long to wait before it is sent again.

function card() {
  return document.getElementById("card");
}

function guideline(name) {
  return help.querySelector(`[data-label="${CSS.escape(name)}"]`);
}

// What has to be told meanwhile stands where the latest outcome does, and is read out like it.

function say(text) {
  const region = document.getElementById("outcome");
  const said = region.querySelector("p") ?? region.insertBefore(document.createElement("p"), region.firstChild);
  if (said.textContent === text) return;
  region.querySelector(".unseen")?.remove();
  said.className = "warned";
  said.textContent = text;
}

// Keys: one press, one act, however long it is held.

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
  if (event.repeat ? key === "Enter" : act(key, event.target)) event.preventDefault();
});

function act(key, target) {
  if (key === "Enter" && target.matches(PRESSED_BY_ENTER)) return false;
  return pressInDrawer(key) || perform(actions.get(key));
}

function pressInDrawer(key) {
  const button = actions.size && card().querySelectorAll("details[open] button[name=skip]")[Number(key) - 1];
  if (!button || pending) return false;
  button.click();
  return true;
}

function perform(action) {
  if (!action || waits()) return false;
  const control = document.querySelector(`[data-action="${action}"]`);
  if (!control) return false;
  if (control === help) return showGuideline();
  if (control.matches(TYPED_INTO)) {
    control.focus();
    control.select();
  } else if (control.matches("summary")) {
    openDrawer(control.parentElement);
  } else {
    control.click();
  }
  return true;
}

// While an answer is on its way nothing else acts: it would be about a ticket that is answered already.
function waits() {
  if (pending && !unsaved.hidden) say(desk.dataset.waits);
  return pending !== null;
}

function showGuideline() {
  const chosen = card().querySelector("input[name=category]:checked");
  const name = chosen?.value === "other" ? finder.input.value : chosen?.parentElement.title;
  help.showPopover();
  guideline(name ?? "")?.focus();
  return true;
}

// A second click of two in a row meant the ticket that is gone.

desk.addEventListener("click", (event) => {
  const late = event.timeStamp - assignedAt < DOUBLE_CLICK_MILLISECONDS;
  if (event.detail === 0 || !late || !event.target.closest("form button")) return;
  event.preventDefault();
  event.stopPropagation();
}, true);

// Drawers: one is open at a time, and the focus goes into it at once, for people type on; from there back to the ticket.

function openDrawer(details) {
  details.open = true;
  details.querySelector(".drawer button, .drawer textarea").focus();
}

desk.addEventListener("click", (event) => {
  const details = event.target.closest("#card summary")?.parentElement;
  if (!details || details.open) return;
  event.preventDefault();
  openDrawer(details);
});

// One that comes open would be closed by one that is open still.
desk.addEventListener("htmx:beforeSwap", ({ target, detail }) => {
  if (!detail.shouldSwap || target !== card()) return;
  for (const details of target.querySelectorAll("details[open]")) details.open = false;
});

function closeDrawers() {
  for (const details of card().querySelectorAll("details[open]")) {
    details.open = false;
    document.getElementById("heading").focus();
  }
}

// The button says what Enter will do.

desk.addEventListener("change", sayWhatEnterDoes);

function sayWhatEnterDoes() {
  const button = card().querySelector(".accept");
  if (!button?.dataset.suggestion) return;
  const chosen = new FormData(button.form);
  const named = card().querySelector("input[name=category][value=other]:checked");
  const suggested = named
    ? finder.input.value === finder.input.defaultValue && finder.input.value !== ""
    : button.dataset.suggestion.startsWith(`${chosen.get("category")}-`);
  const same = suggested && button.dataset.suggestion.endsWith(`-${chosen.get("sentiment")}`);
  button.firstElementChild.textContent = same ? button.dataset.accept : button.dataset.correct;
}

// A new ticket: the focus goes to its heading, or to what is wrong with the answer, and its keys work at once.

new MutationObserver(welcome).observe(desk, { childList: true });

function welcome() {
  if (!card() || card() === assignment) return;
  const first = assignment === null;
  assignment = card();
  assignedAt = first ? -Infinity : performance.now();
  saved();
  const input = document.getElementById("find");
  finder = input && new Finder(input, categories, sayWhatEnterDoes);
  sayWhatEnterDoes();
  for (const one of assignment.querySelectorAll(".by-script")) one.hidden = false;
  const start = assignment.querySelector("[autofocus]") ?? document.getElementById("heading");
  if (!first || document.activeElement === document.body) start.focus();
}

// Sending: the newest token of this browser goes along, for signing in elsewhere makes older ones worthless.

function newestToken() {
  return document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
}

desk.addEventListener("submit", (event) => {
  if (event.target.id !== "answer" && waits()) {
    event.preventDefault();
    event.stopPropagation();
    return;
  }
  forgetSimilar();
  const token = newestToken();
  if (token) event.target.elements.csrfmiddlewaretoken.value = token;
}, true);

// What is sent again is what was answered, whatever the form says by then.

desk.addEventListener("htmx:configRequest", ({ target, detail }) => {
  if (target.id !== "answer") return;
  refused.hidden = true;
  pending ??= { form: target, answer: detail.formData, pause: 1_000 };
  pending.answer.set("csrfmiddlewaretoken", detail.formData.get("csrfmiddlewaretoken"));
  detail.parameters = pending.answer;
});

document.body.addEventListener("htmx:error", ({ target, detail }) => {
  if (target.matches("#outcome form")) say(desk.dataset.notUndone);
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

// What is similar comes by itself: nobody waits for it, and nobody is led away from a ticket for it.

let asked = null;

desk.addEventListener("htmx:beforeSend", (event) => {
  if (event.target.matches(".similar")) asked = event.detail.xhr;
});

function forgetSimilar() {
  if (!asked) return;
  asked.onabort = null; // htmx would complain of it as of an error.
  asked.abort();
}

desk.addEventListener("htmx:beforeOnLoad", (event) => {
  const leadsAway = event.detail.xhr.getResponseHeader("HX-Redirect");
  if (leadsAway && event.target.matches(".similar")) event.preventDefault();
  if (leadsAway && event.target.id === "answer") unsaved.hidden = true; // It is kept until its sender is signed in.
});

// Marks are shown or not, from ticket to ticket, as long as this tab is open.

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

// The ticket stays this person's while somebody is at the page: an open window alone keeps it from nobody.

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
  const response = await fetch(desk.dataset.keep, { method: "POST", body, headers }).catch(() => null);
  if (response?.status === 409 && kept === card() && !pending) say(desk.dataset.taken);
}, KEEP_MILLISECONDS);

welcome();
