// A draft that saves itself: a file is taken as soon as it is chosen, and a button waits for what is just being
// saved. Without this file the draft is kept by its buttons.
"use strict";

(() => {
  const form = document.getElementById("draft");
  if (!form) return;
  let saving = false;
  let leaving = false;
  let waiting = null;

  /* ---- One save at a time: each names the version it has seen --------------------------------- */

  form.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target !== form) return;
    if (leaving) event.preventDefault(); else saving = true;
  });
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.target !== form) return;
    saving = false;
    if (waiting) { const button = waiting; waiting = null; form.requestSubmit(button); }
  });
  form.addEventListener("submit", (event) => {
    if (saving) { event.preventDefault(); waiting = event.submitter; } else leaving = true;
  });
  window.addEventListener("pageshow", () => { leaving = false; });

  /* ---- A file is taken as soon as it is chosen ------------------------------------------------- */

  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-upload]") && event.target.files.length) {
      form.requestSubmit(form.querySelector("[data-save]"));
    }
  });
})();
