// What is said to an author: each kind has a code and a cause. The console says it, and the page's window gets it as an
// event, which the studio listens to.

/** `element` is what it is about. @typedef {{code: string, message: string, element?: Element}} Diagnostic */

/** @type {Set<string>} */
const said = new Set();

/** Show an element as its start tag. @param {Element} element */
export function tagOf(element) {
  const copy = /** @type {Element} */ (element.cloneNode());
  for (const name of ["wf-busy", "aria-busy"]) copy.removeAttribute(name);
  return copy.outerHTML.replace(/<\/[^<]*$/, "");
}

/** @param {"warn" | "error"} level @param {string} code @param {string} message @param {Element} [element] */
function say(level, code, message, element) {
  console[level](`manyhands: ${code}: ${message}`);
  dispatchEvent(new CustomEvent("manyhands:diagnostic", { detail: { code, message, element } }));
}

/** Say, once, something of the page that its author should mend. @param {string} code @param {Element | string} where @param {string} text */
export function warn(code, where, text) {
  const named = typeof where === "string";
  const message = `${named ? where : tagOf(where)} ${text}`;
  if (said.has(message)) return;
  said.add(message);
  say("warn", code, message, named ? undefined : where);
}

/** Say that something went wrong. @param {string} code @param {string} text @param {Element} [element] where it was fired */
export function fail(code, text, element) {
  say("error", code, text + (element ? ` (fired by ${tagOf(element)})` : ""), element);
}

/**
 * Say of an element what is wrong with it and what to write instead, which most pages never need.
 * @template {keyof typeof import("./advice.js").ADVICE} Code
 * @param {Code} code @param {Element} element @param {Parameters<typeof import("./advice.js").ADVICE[Code]>} about
 */
export async function advise(code, element, ...about) {
  const { ADVICE } = await import("./advice.js");
  // @ts-expect-error TypeScript does not see that these belong together.
  warn(code, element, ADVICE[code](...about));
}

/** Call what an author gave: what it raises is the author's, and keeps nothing else from being done. @param {(...about: any[]) => void} call @param {any[]} about */
export function safely(call, ...about) {
  try { call(...about); } catch (error) { reportError(error); }
}
