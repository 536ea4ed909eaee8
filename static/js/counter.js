// The length of a text while it is typed, in the words that messaging/counting.py gives.
// Works for every [data-counter] that holds a textarea and the parts of _counter.html and _guilt.html;
// needs segments.js and the sentences in #count-patterns. It listens on the document, so swapped-in
// content needs nothing.
"use strict";

(() => {
  // As in messaging/counting.py: guilty characters that are named, letters around the first.
  const NAMED = 5;
  const AROUND = 12;
  let sentences;

  function say(name, values = {}) {
    sentences ??= JSON.parse(document.getElementById("count-patterns").textContent);
    return sentences[name].replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
  }

  const inSegments = (count) => say(count === 1 ? "segment" : "segments", { count });

  function element(name, className, ...children) {
    const made = document.createElement(name);
    made.className = className;
    made.append(...children);
    return made;
  }

  function named(text, culprits) {
    return culprits.slice(0, NAMED).flatMap(({ char, index }, position) => {
      const box = element("span", "char", visible(char));
      if (position) return [" ", box];
      const before = text.slice(Math.max(0, index - AROUND), index).split("\n").at(-1);
      const after = text.slice(index + char.length, index + char.length + AROUND).split("\n")[0];
      return [element("span", "says", before, box, after)];
    });
  }

  // What cannot be seen is called by its number.
  function visible(char) {
    if (!/^[\p{Z}\p{C}\p{M}]$/u.test(char)) return char;
    return `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  }

  function blame(box, text, length) {
    const plain = segments.measure(segments.replaceAll(text));
    const helps = plain.encoding === "gsm7";
    const saves = helps && plain.segments < length.segments;
    const many = length.culprits.length > 1;
    const part = (name) => box.querySelector(`[data-guilt-${name}]`);
    part("title").textContent = say(many ? "titles" : "title", { count: length.culprits.length });
    part("chars").replaceChildren(...named(text, length.culprits));
    part("body").textContent = saves ? say("saved", { now: length.segments, plain: plain.segments }) : say("holds");
    const button = box.querySelector("[data-replace]");
    button.hidden = !helps;
    button.textContent = say(many ? "fixes" : "fix", { segments: inSegments(plain.segments) });
  }

  function show(counter) {
    const text = counter.querySelector("textarea").value;
    const length = segments.measure(text);
    const total = length.limit * Math.max(1, length.segments);
    const differs = counter.dataset.counter === "fields" && /\{\{|\{%/.test(text);
    counter.querySelector("[data-count-segments]").textContent = differs ? say("fields") : inSegments(length.segments);
    counter.querySelector("[data-count-rest]").textContent =
      differs ? say("differs") : say(length.encoding, { used: total - length.left, total });
    const box = counter.querySelector("[data-guilt]");
    if (!box) return;
    box.hidden = !length.culprits.length;
    if (length.culprits.length) blame(box, text, length);
  }

  document.addEventListener("input", (event) => {
    const counter = event.target.matches("textarea") && event.target.closest("[data-counter]");
    if (counter) show(counter);
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-replace]");
    if (!button) return;
    event.preventDefault();
    const field = button.closest("[data-counter]").querySelector("textarea");
    field.value = segments.replaceAll(field.value);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  });

  // A browser may have kept another text than the page came with.
  document.querySelectorAll("[data-counter]").forEach(show);
  document.addEventListener("pageshow", () => document.querySelectorAll("[data-counter]").forEach(show));
})();
