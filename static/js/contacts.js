// The list of people: ticks, how many are chosen, and the bar that says what to do with them.
// Without this file the bar is always there and counts nothing.
"use strict";

(() => {
  function look(form) {
    const ticks = [...form.querySelectorAll('[name="chosen"]')];
    const all = form.querySelector("[data-all]");
    const page = form.querySelector("[data-page]");
    const count = form.querySelector("[data-count]");
    if (!all) return;
    const chosen = ticks.filter((tick) => tick.checked).length;
    page.hidden = false;
    page.checked = all.checked || (chosen === ticks.length && chosen > 0);
    page.indeterminate = !all.checked && chosen > 0 && chosen < ticks.length;
    ticks.forEach((tick) => { tick.disabled = all.checked; });
    count.hidden = all.checked || !chosen;
    count.textContent = count.dataset.count.replace("{count}", chosen);
    form.classList.toggle("has-chosen", all.checked || chosen > 0);
  }

  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-people]");
    if (!form) return;
    if (event.target.matches("[data-page]")) {
      form.querySelector("[data-all]").checked = false;
      form.querySelectorAll('[name="chosen"]').forEach((tick) => { tick.checked = event.target.checked; });
    }
    look(form);
  });
  function start() { document.querySelectorAll("[data-people]").forEach(look); }
  document.addEventListener("htmx:load", start);
  start();
})();
