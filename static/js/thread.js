// What a conversation gains with JavaScript: Enter sends, and the open one is in sight in the list.
// The pages work without this file.
"use strict";

/* ---- The answer: Ctrl or ⌘ and Enter sends ------------------------------------------------------ */

document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("#answer");
  if (!form || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  form.requestSubmit();
});

/* ---- Start: the open conversation is in sight in the list ---------------------------------------- */

document.querySelector(".convs [aria-current]")?.scrollIntoView({ block: "nearest" });
