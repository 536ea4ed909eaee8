// What pages gain with JavaScript: copy buttons, keys, menus that close, a question before danger.
// Every page works without this file. It listens on the document, so swapped-in content needs nothing.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/* ---- Copy buttons: hidden until there is a script that copies ------------------------------- */

function showCopyButtons(root = document) {
  $$("[data-copy]", root).forEach((button) => { button.hidden = false; });
}

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    // The clipboard is closed to pages without https; the older way still works there.
    document.execCommand("copy");
  }
  const word = $("span", button);
  button.dataset.word ??= word.textContent;
  word.textContent = button.dataset.copied;
  setTimeout(() => { word.textContent = button.dataset.word; }, 2000);
}

/* ---- A question before what cannot be undone ------------------------------------------------- */

function ask(question, yes, then) {
  const dialog = $("#sure");
  $("#sure-question").textContent = question;
  const button = $("[data-yes]", dialog);
  button.dataset.word ??= button.textContent;
  button.textContent = yes || button.dataset.word;
  dialog.returnValue = "";
  dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") then(); }, { once: true });
  dialog.showModal();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const asker = event.submitter?.dataset.confirm ? event.submitter : form;
  if (!asker.dataset.confirm || form.dataset.sure || !$("#sure")) return;
  event.preventDefault();
  event.stopPropagation();
  const word = asker.dataset.yes || event.submitter?.textContent.trim();
  ask(asker.dataset.confirm, word, () => {
    form.dataset.sure = "yes";
    form.requestSubmit(event.submitter);
    delete form.dataset.sure;
  });
}, true);

document.addEventListener("htmx:confirm", (event) => {
  if (!event.detail.question || !$("#sure")) return;
  event.preventDefault();
  ask(event.detail.question, event.detail.elt.dataset.yes, () => event.detail.issueRequest(true));
});

/* ---- Keys: data-key="c" clicks, on a field it focuses; "g i" is g, then i -------------------- */

const OFF = "keys-off";
let before = "";

function keysAreOff() {
  try { return localStorage.getItem(OFF) === "yes"; } catch { return false; }
}

function isTyping(target) {
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

function press(element) {
  if (isTyping(element)) { element.focus(); element.select?.(); } else { element.click(); }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || $("dialog[open]")) return;
  if (keysAreOff()) return;
  const key = before ? `${before} ${event.key}` : event.key;
  before = "";
  if (key === "?") { event.preventDefault(); $("#keys")?.showModal(); return; }
  if (key === "g") { before = "g"; setTimeout(() => { before = ""; }, 1500); return; }
  // A page without a search of its own leads to the one over all messages.
  const found = $(`[data-key="${CSS.escape(key)}"]`) ?? (key === "/" ? $('[data-key="g m"]') : null);
  if (found) { event.preventDefault(); press(found); }
});

/* ---- Clicks: copy, dismiss, menus ------------------------------------------------------------ */

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
  const dismiss = event.target.closest("[data-dismiss]");
  if (dismiss) { event.preventDefault(); dismiss.parentElement.remove(); }
  $$("details[data-menu][open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && $("details[data-menu][open]");
  if (menu) { menu.open = false; $("summary", menu).focus(); }
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-keys-off]")) {
    try { localStorage.setItem(OFF, event.target.checked ? "yes" : ""); } catch { /* private window */ }
  }
  // A filter or a choice that needs no button where there is a script.
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

/* ---- Asking for news: [data-poll] rests while nobody looks ----------------------------------- */

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.matches("[data-poll]") && document.hidden) event.preventDefault();
});

// Logged out meanwhile: the answer is the log-in page, which belongs into the whole window.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo } = event.detail;
  const asked = new URL(pathInfo.finalRequestPath, location.href).pathname;
  if (!xhr.responseURL || new URL(xhr.responseURL).pathname === asked) return;
  event.detail.shouldSwap = false;
  location.reload();
});

/* ---- Start ------------------------------------------------------------------------------------ */

const box = $("[data-keys-off]");
if (box) box.checked = keysAreOff();
document.documentElement.classList.add("has-js");
showCopyButtons();
document.addEventListener("htmx:load", (event) => showCopyButtons(event.target));
