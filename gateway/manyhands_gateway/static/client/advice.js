// What is wrong with an element, and what to write instead. A part: a page without faults never needs it.

import { EVENTS, PARTS } from "./names.js";
import { isDict } from "./paths.js";

/** Attributes that name a path; `attr` and `class` go on with a colon. */
const BINDINGS = ["text", "attr", "class", "show", "value", "model", "each", "table", "figure", "image"];

/** By what a diagnostic's code is: the text behind the element's tag. */
export const ADVICE = {
  /** @param {string} localName @param {string} kind */
  no_id: (localName, kind) => `has no id, so context["target"] is None; write <${localName} id="…" wf-${kind}=…>`,
  same_id: () => "has an id that another element has, too; give each its own",
  model_alone: () =>
    "changes nothing on the server; give it a wf-change or wf-change-finish whose handler assigns the value, or a form with wf-submit",
  bad_binding: () => "repeats a key; write the path of a dict or a list",
  /** @param {string} name @param {boolean} [by] its value, rather than itself */
  unsafe_attribute: (name, by) =>
    by ? `would get a ${name} that runs; give it one that begins with https: or /`
      : `binds ${name}, which could run what it is given; write wf-click for events`,

  /** @param {string} name @param {string} kind */
  unknown_attribute(name, kind) {
    const near = nearest(kind, [...EVENTS, ...BINDINGS, ...PARTS]);
    return `has ${name}, which means nothing` + (near ? `; write wf-${near}` : "");
  },

  /** @param {string} path as it is written @param {string} missing its first key that is not there @param {unknown} above where that key would be */
  no_path(path, missing, above) {
    const near = isDict(above) && nearest(missing, Object.keys(above));
    const given = path.startsWith("@") ? "assign it in a handler" : "give it a value with init_state";
    return `shows ${path}, which the state doesn't have; ` + (near ? `write ${near} for ${missing}` : given);
  },
};

/** Give the nearest of some names; null where none is near. @param {string} name @param {string[]} names */
export function nearest(name, names) {
  /** @type {[number, string | null]} */
  let best = [Math.max(2, Math.floor(name.length / 3)) + 1, null];
  for (const other of names) {
    const distance = edits(name, other);
    if (distance < best[0]) best = [distance, other];
  }
  return best[1];
}

/** Count the edits between two texts (Levenshtein). @param {string} one @param {string} two */
function edits(one, two) {
  let row = Array.from({ length: two.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    let corner = row[0];
    row[0] = i;
    for (let j = 1; j <= two.length; j++) {
      const cost = one[i - 1] === two[j - 1] ? corner : 1 + Math.min(corner, row[j], row[j - 1]);
      [corner, row[j]] = [row[j], cost];
    }
  }
  return row[two.length];
}
