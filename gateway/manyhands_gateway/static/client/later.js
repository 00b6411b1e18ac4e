// Attributes whose code is a part of its own: a page that has one gets it.

/** @typedef {import("./client.js").Client} Client */
/**
 * What such code is given: `path`, where the attribute's value leads in the state; `stops`, to which it adds what is to
 * be done once the element is gone.
 * @typedef {{client: Client, path: string[] | null, stops: (() => void)[]}} About
 */
/** Starts an element's attribute; gives what writes the value at its path, now and whenever it changes. @typedef {(element: any, about: About) => import("./attributes.js").Write | void} Begin */

/** By what follows `wf-`: gives the module that exports a `Begin` of that name. @type {{[kind: string]: () => Promise<{[kind: string]: Begin}>}} */
export const LATER = {
  webcam: () => import("./webcam.js"),
  table: () => import("./table.js"),
  figure: () => import("./figure.js"),
  image: () => import("./image.js"),
};
