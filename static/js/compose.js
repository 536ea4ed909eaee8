// The composer: greys phones that cannot carry what is written, and hides the time until it is wanted.
// Without this file the server says the same after a click on "Check" or "Send".
"use strict";

(() => {
  const form = document.getElementById("compose");
  if (!form) return;
  const text = form.elements.text;

  // The same needs as messaging/carrying.py.
  function needs() {
    const length = segments.measure(text.value);
    return {
      mms_out: Boolean(form.elements.picture?.files.length),
      flash: Boolean(form.elements.flash?.checked),
      unicode: length.encoding === "ucs2",
      long: length.segments > 1,
    };
  }

  function greyPhones() {
    const wanted = needs();
    // The preview does not get the picture itself, only that there is one.
    form.elements.pictured.value = wanted.mms_out ? "1" : "";
    form.querySelectorAll("[data-phone]").forEach((choice) => {
      const lacking = [...choice.querySelectorAll("[data-lacks]")].filter((words) => {
        words.hidden = !wanted[words.dataset.lacks];
        return !words.hidden;
      });
      choice.classList.toggle("off", choice.querySelector("input").disabled || lacking.length > 0);
    });
  }

  function preview() {
    const box = form.querySelector("[data-preview]");
    box.firstElementChild.textContent = text.value;
    box.hidden = !text.value;
    form.querySelector("[data-preview-empty]").hidden = Boolean(text.value);
  }

  // A hidden time that is wrong must not keep the form from leaving: disabled, it is not looked at.
  function showTime() {
    const later = form.elements.when.value === "later";
    form.querySelector("[data-later]").hidden = !later;
    form.elements.at.disabled = !later;
  }

  form.addEventListener("input", () => { greyPhones(); preview(); });
  form.addEventListener("change", (event) => {
    greyPhones();
    showTime();
    // The time may be below the fold.
    if (event.target.value === "later") form.elements.at.scrollIntoView({ block: "nearest" });
  });
  // Ctrl+Enter sends, as in mail programs.
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  greyPhones();
  preview();
  showTime();
})();
