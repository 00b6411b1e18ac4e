// What is wrong with the page, each with its element and, where a click can do it, what mends it.

import { ask } from "./api.js";
import { complain, make } from "./dom.js";
import { titleOf } from "./page_tab.js";

/**
 * What a click may do: write an attribute, or append a function to the main module, as the stub of an event.
 * @typedef {{label: string, name?: string, value?: string, stub?: string, function?: string}} Cure
 */

/**
 * Make the list.
 * @param {import("./studio.js").Shared} shared @param {import("./page_tab.js").Fault[]} faults @param {import("./page_tab.js").Tag[]} tags
 * @param {(at: number) => void} select @param {import("./page_tab.js").Write} write
 * @returns {HTMLElement}
 */
export function faultList(shared, faults, tags, select, write) {
  const items = faults.map((fault) => faultOf(shared, fault, tags.find(({ at }) => at === fault.at), select, write));
  return make("section", { class: "faults", hidden: !faults.length }, make("h2", {}, "To be mended"), make("ul", { class: "cards" }, ...items));
}

/**
 * @param {import("./studio.js").Shared} shared @param {import("./page_tab.js").Fault} fault @param {import("./page_tab.js").Tag | undefined} tag
 * @param {(at: number) => void} select @param {import("./page_tab.js").Write} write
 */
function faultOf(shared, { code, message, cures }, tag, select, write) {
  const said = make("span", { role: "status" });
  const opener = tag && make("button", { class: "link", onclick: () => select(tag.at) }, titleOf(tag));
  const buttons = tag ? cures.map((cure) => make("button", { onclick: () => mend(shared, tag.at, cure, write).catch((error) => complain(said, error)) }, cure.label)) : [];
  return make("li", { "data-code": code }, opener, make("p", { class: "bad" }, message), make("div", { class: "row" }, ...buttons, said));
}

/** @param {import("./studio.js").Shared} shared @param {number} at @param {Cure} cure @param {import("./page_tab.js").Write} write */
async function mend(shared, at, { name, value, stub, function: wanted }, write) {
  if (name !== undefined && value !== undefined) return write(at, name, value);
  const { file, line } = await ask("POST", "stubs", { event: stub, function: wanted });
  shared.openFile(file, line);
}
