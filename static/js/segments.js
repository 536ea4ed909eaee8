// How long a text is on the air: lib/gsm.py in the browser, the same rules and the same answers.
//
//   segments.measure(text)    → {encoding, segments, units, limit, left, culprits}
//   segments.replaceAll(text) → the text with what has a harmless GSM replacement replaced
//
// encoding: "gsm7" or "ucs2". units: septets or UTF-16 code units. limit: how many a segment of this
// text holds. left: how many more the last one takes. culprits: [{char, index, replacement}], what
// forces UCS-2, each once, in order; index as in text.slice, replacement null where there is none.
"use strict";

const segments = (() => {
  // lib/gsm_table.json, word for word: a test compares them.
  const table = {
    "basic": "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u001bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
    "extension": {
      "\f": "\n",
      "^": "Λ",
      "{": "(",
      "}": ")",
      "\\": "/",
      "[": "<",
      "~": "=",
      "]": ">",
      "|": "¡",
      "€": "e"
    },
    "replacements": {
      "'": "’‘‚‛′`´ʼ‹›",
      "\"": "“”„‟″«»",
      "-": "‐‑‒–—―−•",
      "...": "…",
      ".": "·",
      " ": "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
      "\n": "\u000b\u0085\u2028\u2029",
      "": "\u00ad\u200b\u200e\u202a\u202c\u202d\u2060\u2066\u2068\u2069\ufeff\ufe0e\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0309\u030a\u030b\u030c\u0327\u0328",
      "No": "№",
      "x": "×",
      "a": "ªáâãāăąǎ",
      "o": "ºóôõōŏǒ",
      "TM": "™",
      "oe": "œ",
      "OE": "Œ",
      "fi": "ﬁ",
      "fl": "ﬂ",
      "ff": "ﬀ",
      "ffi": "ﬃ",
      "ffl": "ﬄ",
      "ij": "ĳ",
      "IJ": "Ĳ",
      "SS": "ẞ",
      "A": "ÀÁÂÃĀĂĄǍ",
      "E": "ÈÊËĒĔĖĘĚ",
      "I": "ÌÍÎÏĨĪĬĮİǏ",
      "O": "ÒÓÔÕŌŎǑ",
      "U": "ÙÚÛŨŪŬŮŲǓ",
      "Y": "ÝŶŸ",
      "c": "çćĉċč",
      "e": "êëēĕėęě",
      "i": "íîïĩīĭįıǐ",
      "u": "úûũūŭůųǔ",
      "y": "ýÿŷ",
      "C": "ĆĈĊČ",
      "D": "ĎĐ",
      "d": "ďđ",
      "G": "ĜĞĠĢ",
      "g": "ĝğġģ",
      "H": "ĤĦ",
      "h": "ĥħ",
      "J": "Ĵ",
      "j": "ĵ",
      "K": "Ķ",
      "k": "ķ",
      "L": "ĹĻĽŁ",
      "l": "ĺļľł",
      "N": "ŃŅŇ",
      "n": "ńņň",
      "Ö": "Ő",
      "ö": "ő",
      "R": "ŔŖŘ",
      "r": "ŕŗř",
      "S": "ŚŜŞŠȘ",
      "s": "śŝşšș",
      "T": "ŢŤŦȚ",
      "t": "ţťŧț",
      "Ü": "Ű",
      "ü": "ű",
      "W": "Ŵ",
      "w": "ŵ",
      "Z": "ŹŻŽ",
      "z": "źżž"
    }
  };

  const ESC = "\x1b"; // No character: in a text it would swallow the next one.
  const LIMITS = {
    gsm7: { alone: 160, joined: 153 },
    ucs2: { alone: 70, joined: 67 },
  };
  const extension = new Set(Object.keys(table.extension));
  const alphabet = new Set([...table.basic, ...extension]);
  alphabet.delete(ESC);
  const replacements = new Map(
    Object.entries(table.replacements).flatMap(([plain, chars]) =>
      Array.from(chars, (char) => [char, plain]),
    ),
  );

  // An escape pair counts two, and so does a surrogate pair (whose length is 2 already).
  const width = {
    gsm7: (char) => (extension.has(char) ? 2 : 1),
    ucs2: (char) => char.length,
  };

  // Cuts where lib.gsm.split cuts: what does not fit whole begins the next segment.
  function fill(widths, limit) {
    let count = 0;
    let left = 0;
    for (const units of widths) {
      if (units > left) {
        count += 1;
        left = limit;
      }
      left -= units;
    }
    return { segments: count, limit, left };
  }

  function findCulprits(text) {
    const found = new Map();
    let index = 0;
    for (const char of text) {
      if (!alphabet.has(char) && !found.has(char)) {
        found.set(char, { char, index, replacement: replacements.get(char) ?? null });
      }
      index += char.length;
    }
    return [...found.values()];
  }

  function measure(text) {
    const culprits = findCulprits(text);
    const encoding = culprits.length ? "ucs2" : "gsm7";
    const { alone, joined } = LIMITS[encoding];
    const widths = Array.from(text, width[encoding]);
    const units = widths.reduce((sum, each) => sum + each, 0);
    const filled =
      units > alone
        ? fill(widths, joined)
        : { segments: units ? 1 : 0, limit: alone, left: alone - units };
    return { encoding, units, ...filled, culprits };
  }

  function replaceAll(text) {
    // Texts copied from a Mac may hold é as e and a loose accent: put together, it is GSM.
    const composed = text.replace(/[A-Za-z][\u0300-\u036f]+/g, (found) => found.normalize("NFC"));
    return Array.from(composed, (char) => replacements.get(char) ?? char).join("");
  }

  return { measure, replaceAll };
})();
