// People and groups beside the numbers: letters bring suggestions, a choice becomes a chip. Works for every
// [data-recipients], which names the field of its chips.
// Without this file the chips that the page came with can be unticked, and numbers be typed.
"use strict";

document.querySelectorAll("[data-recipients]").forEach((box) => {
  const name = box.dataset.recipients;
  const combo = box.querySelector("[data-combo]");
  const input = combo.querySelector("input");
  const list = combo.querySelector("ul");
  const token = box.querySelector("template");
  const options = () => [...list.querySelectorAll("[data-value]")];
  let at = -1;

  function show(open) {
    list.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    if (!open) mark(-1);
  }

  function mark(index) {
    at = index;
    options().forEach((option, place) => option.setAttribute("aria-selected", String(place === at)));
    const here = options()[at];
    if (here) { input.setAttribute("aria-activedescendant", here.id); here.scrollIntoView({ block: "nearest" }); }
    else input.removeAttribute("aria-activedescendant");
  }

  function changed() { input.closest("form").dispatchEvent(new Event("change", { bubbles: true })); }

  function add(option) {
    const { value, label, amount } = option.dataset;
    const there = box.querySelector(`input[name="${name}"][value="${CSS.escape(value)}"]`);
    if (!there) {
      const made = token.content.cloneNode(true);
      Object.assign(made.querySelector("input"), { name, value });
      made.querySelector("[data-label]").textContent = label;
      made.querySelector("[data-amount]").textContent = amount;
      combo.before(made, " ");
    } else { there.checked = true; }
    input.value = "";
    list.replaceChildren();
    show(false);
    input.focus();
    changed();
  }

  // Two lists of one page may suggest the same person.
  list.addEventListener("htmx:afterSwap", () => {
    options().forEach((option, place) => { option.id = `${list.id}-${place}`; });
    show(Boolean(input.value.trim())); mark(options().length ? 0 : -1);
  });
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[data-value]");
    if (option) add(option);
  });
  input.addEventListener("input", (event) => { event.stopPropagation(); if (!input.value.trim()) show(false); });
  input.addEventListener("change", (event) => event.stopPropagation());
  input.addEventListener("blur", () => show(false));
  input.addEventListener("keydown", (event) => {
    const found = options();
    if (event.key === "Enter") {
      event.preventDefault();
      if (!list.hidden && found[at]) add(found[at]);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (found.length) { show(true); mark((at + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length); }
    } else if (event.key === "Escape") { show(false); }
    else if (event.key === "Backspace" && !input.value) {
      const last = [...box.querySelectorAll(`input[name="${name}"]`)].pop();
      if (last) { last.closest("label").remove(); changed(); }
    }
  });
  box.addEventListener("change", (event) => {
    if (event.target.name === name && !event.target.checked) { event.target.closest("label").remove(); changed(); }
  });
  box.hidden = combo.hidden = false;
});
