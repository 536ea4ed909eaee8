// Puts words into a textarea where the cursor is: [data-insert] within [data-insert-into="id of the textarea"].
// Without this file the entries are a list of what may be written. Swapped-in content needs nothing.
"use strict";

(() => {
  // An entry becomes a button, now that there is a script that inserts.
  function enliven(root) {
    root.querySelectorAll("[data-insert]:not(button)").forEach((entry) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.insert = entry.dataset.insert;
      button.append(...entry.childNodes);
      entry.replaceWith(button);
    });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-insert]");
    const menu = button?.closest("[data-insert-into]");
    const field = menu && document.getElementById(menu.dataset.insertInto);
    if (!field) return;
    menu.open = false;
    field.focus();
    field.setRangeText(button.dataset.insert, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });

  document.addEventListener("htmx:afterSwap", (event) => enliven(event.target));
  enliven(document);
})();
