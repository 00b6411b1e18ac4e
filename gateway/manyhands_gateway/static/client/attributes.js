// Writes values into elements: as text, classes and attributes, never as anything that could run.

import { advise } from "./diagnostics.js";

/** @typedef {(value: any) => void} Write */

/** Attributes whose `true` and `false` are words of theirs. */
const WORDED = /^(aria-|data-|(draggable|contenteditable|spellcheck)$)/;

/** @param {unknown} value */
export function text(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Tell whether a browser would run a value, wherever it stands in an attribute. @param {string} value */
const runs = (value) => /(java|vb)script:|data:text\/html|data:[^,]*xml/i.test(value.replace(/[\0-\x20]/g, ""));

/** @type {{[kind: string]: (element: any, name: string) => Write | null}} */
export const WRITERS = {
  text: (element) => (value) => {
    const now = text(value);
    if (element.textContent !== now) element.textContent = now;
  },
  show: (element) => (value) => (element.hidden = !value),
  class: (element, name) => (value) => element.classList.toggle(name, Boolean(value)),
  attr(element, name) {
    if (/^(on|wf-)|^(srcdoc|http-equiv)$/.test(name) || element.localName === "script") {
      advise("unsafe_attribute", element, name);
      return null;
    }
    return (value) => {
      const worded = WORDED.test(name);
      if (value === null || value === undefined || (value === false && !worded)) return element.removeAttribute(name);
      const now = value === true && !worded ? "" : text(value);
      if (runs(now)) {
        element.removeAttribute(name);
        return void advise("unsafe_attribute", element, name, true);
      }
      // The page's policy may refuse the attribute, but not what a script does.
      if (name === "style") element.style.cssText = now;
      else if (element.getAttribute(name) !== now) element.setAttribute(name, now);
    };
  },
};
