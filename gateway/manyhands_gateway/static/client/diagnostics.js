// What the console says to an author: each kind has a code and a cause, and is said once of an element.

/** @type {Set<string>} */
const said = new Set();

/** Show an element as its start tag. @param {Element} element */
export function tagOf(element) {
  const copy = /** @type {Element} */ (element.cloneNode());
  for (const name of ["wf-busy", "aria-busy"]) copy.removeAttribute(name);
  return copy.outerHTML.replace(/<\/[^<]*$/, "");
}

/** Say something of the page that its author should mend. @param {string} code @param {Element | string} where @param {string} text */
export function warn(code, where, text) {
  const message = `manyhands: ${code}: ${typeof where === "string" ? where : tagOf(where)} ${text}`;
  if (said.has(message)) return;
  said.add(message);
  console.warn(message);
}

/** Say that something went wrong. @param {string} text @param {Element} [element] */
export function fail(text, element) {
  console.error(`manyhands: ${text}` + (element ? ` (fired by ${tagOf(element)})` : ""));
}

/** Call what an author gave: what it raises is the author's, and keeps nothing else from being done. @param {(...about: any[]) => void} call @param {any[]} about */
export function safely(call, ...about) {
  try { call(...about); } catch (error) { reportError(error); }
}

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
