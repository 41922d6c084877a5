// The review screen by keyboard. Without this script the page is a plain form; with it each action has a key,
// the focus follows the ticket, and an answer that could not be sent stays in the page until it is.

import { Finder } from "./finder.js";

const KEEP_MILLISECONDS = 60_000;
const LONGEST_PAUSE = 15_000;
const TYPED_INTO = "textarea, select, input:not([type=radio], [type=checkbox], [type=hidden])";
const PRESSED_BY_ENTER = "a, button, summary";

const desk = document.getElementById("desk");
const unsaved = document.getElementById("unsaved");
const categories = [...document.querySelectorAll("#all-categories option")].map((option) => option.value);
const actions = new Map(Object.entries(JSON.parse(desk.dataset.keys)).map(([action, key]) => [key, action]));

let seat = null;
let finder = null;
let pending = null; // The form and button of an answer on its way, and how long to wait before it is sent again.

function card() {
  return document.getElementById("card");
}

// Keys

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
  if (event.key === "Escape") return closeDrawers();
  if (event.target.matches(TYPED_INTO) || document.querySelector("#help:popover-open")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (pressInDrawer(key) || perform(actions.get(key), event.target)) event.preventDefault();
});

function pressInDrawer(key) {
  const button = actions.size && card().querySelectorAll("details[open] button[name=skip]")[Number(key) - 1];
  if (!button) return false;
  button.click();
  return true;
}

function perform(action, target) {
  if (!action || (action === "submit" && target.matches(PRESSED_BY_ENTER))) return false;
  const control = desk.querySelector(`[data-action="${action}"]`);
  if (!control) return false;
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

// Drawers: one is open at a time, and the focus goes into it and comes back; at once, for people type on.

function openDrawer(details) {
  details.open = true;
  details.querySelector(".drawer button, .drawer textarea").focus();
}

desk.addEventListener("toggle", (event) => {
  const drawer = event.target.querySelector(".drawer");
  if (event.target.open && !drawer.contains(document.activeElement)) openDrawer(event.target);
}, true);

function closeDrawers() {
  for (const details of card().querySelectorAll("details[open]")) {
    details.open = false;
    details.querySelector("summary").focus();
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

// A new ticket: the focus goes to its heading, and its keys work at once.

new MutationObserver(welcome).observe(desk, { childList: true });

function welcome() {
  if (!card() || card() === seat) return;
  const first = seat === null;
  seat = card();
  saved();
  const input = document.getElementById("find");
  finder = input && new Finder(input, categories, sayWhatEnterDoes);
  sayWhatEnterDoes();
  if (!first || document.activeElement === document.body) document.getElementById("heading").focus();
}

// Sending: the newest token of this browser goes along, for signing in elsewhere makes older ones worthless.

desk.addEventListener("submit", (event) => {
  forgetSimilar();
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  if (token) event.target.elements.csrfmiddlewaretoken.value = token[1];
  if (event.target.id === "answer") {
    pending = { form: event.target, button: event.submitter, pause: pending?.pause ?? 1_000 };
  }
}, true);

for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError", "htmx:error"]) {
  document.body.addEventListener(name, keepAnswer);
}

function keepAnswer(event) {
  if (!pending || pending.timer || event.target.matches(".similar")) return;
  unsaved.hidden = false;
  card().inert = true;
  pending.timer = setTimeout(sendAgain, pending.pause);
}

function sendAgain() {
  if (!pending) return;
  clearTimeout(pending.timer);
  pending = { ...pending, timer: 0, pause: Math.min(pending.pause * 2, LONGEST_PAUSE) };
  pending.form.requestSubmit(pending.button);
}

document.getElementById("send-again").addEventListener("click", sendAgain);

function saved() {
  pending = null;
  unsaved.hidden = true;
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

// The ticket stays this person's while the page is looked at.

setInterval(() => {
  const form = document.getElementById("answer");
  if (!form || document.hidden) return;
  const body = new URLSearchParams({ seat: card().dataset.seat });
  const headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
  fetch(desk.dataset.keep, { method: "POST", body, headers }).catch(() => {});
}, KEEP_MILLISECONDS);

welcome();
