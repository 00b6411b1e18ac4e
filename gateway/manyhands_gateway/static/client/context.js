// Fires the handlers that a page's elements name, with where in the page they are.

import { advise } from "./diagnostics.js";
import { repeaters, scopeOf } from "./scope.js";

/** @typedef {import("./client.js").Client} Client */
/** @typedef {import("./fired.js").Fired} Fired */

/** How many events of each element run. @type {WeakMap<Element, number>} */
const running = new WeakMap();

/** Show by an element that an event of it runs. @param {Element} element @param {Promise<unknown>} ended */
export async function busy(element, ended) {
  running.set(element, (running.get(element) ?? 0) + 1);
  element.setAttribute("aria-busy", "true");
  element.setAttribute("wf-busy", "");
  await ended;
  const left = /** @type {number} */ (running.get(element)) - 1;
  running.set(element, left);
  if (left) return;
  element.removeAttribute("aria-busy");
  element.removeAttribute("wf-busy");
}

/** @param {Client} client @param {Element} element @param {string} kind what follows `wf-` @param {any} payload @returns {Fired} */
export function fireFrom(client, element, kind, payload) {
  const around = repeaters(scopeOf(element));
  const context = { event: kind, ...(element.id && { target: element.id }), ...(around.length && { repeaters: around }) };
  const fired = client.fire(element.getAttribute(`wf-${kind}`) ?? "", payload, context, { element });
  busy(element, fired);
  return fired;
}

/** Say what keeps a handler from knowing which element an event came from. @param {Element} element @param {string} kind */
export function checkId(element, kind) {
  // In a repeater the key tells.
  if (scopeOf(element)) return;
  if (!element.id) advise("no_id", element, element.localName, kind);
  else if (document.querySelectorAll(`[id="${CSS.escape(element.id)}"]`).length > 1) advise("same_id", element);
}
