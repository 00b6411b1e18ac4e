// Parts of the client that most pages never need: each is a file of its own, fetched when it is needed first. A module
// asks for one by `import("./name.js")`; joining the modules makes `part("name")` of it, and gives the part what it
// imports from the client's own modules in CORE.

import { BASE } from "./base.js";
import { warn } from "./diagnostics.js";

/** Seconds before a part that could not be fetched is asked for again, doubled for each further time, up to the longest. */
const FIRST_WAIT = 1;
const LONGEST_WAIT = 8;

/** What parts use of the client's own modules. Joining these fills it. @type {{[name: string]: any}} */
export const CORE = {};
/** @type {Map<string, Promise<any>>} */
const parts = new Map();

/** Give what a part exports; waits for as long as it can't be fetched. @param {string} name @returns {Promise<any>} */
export function part(name) {
  const known = parts.get(name);
  if (known) return known;
  const fetched = fetchPart(name);
  parts.set(name, fetched);
  return fetched;
}

/** @param {string} name */
async function fetchPart(name) {
  for (let tries = 0, wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      // Some browsers remember of an address that nothing came from it.
      return (await import(new URL(`${name}.mjs${tries++ ? `?${tries}` : ""}`, BASE).href)).default(CORE);
    } catch (error) {
      warn("no_part", `${name}.mjs`, `can't be loaded, and is tried again: ${error}`);
      await new Promise((resume) => setTimeout(resume, 1000 * wait));
    }
  }
}
