// What is beside the page: the events of the selected element, the handler of each, and a stub to begin with.

import { ask } from "./api.js";
import { complain, make } from "./dom.js";
import { titleOf } from "./page_tab.js";

/**
 * Make it.
 * @param {import("./studio.js").Shared} shared @param {any} tag @param {(event: string, handler: string) => Promise<void>} link
 * @returns {Node[]}
 */
export function elementPanel(shared, tag, link) {
  const { stubs, app } = shared.about;
  const names = (app?.handlers ?? []).map((/** @type {any} */ { name }) => name);
  const rows = Object.entries(stubs).map(([event, stub]) => eventRow(shared, event, /** @type {any} */ (stub), tag.events[event], names, link));
  return [
    make("h2", {}, titleOf(tag)),
    make("button", { class: "link", onclick: () => shared.openFile("index.html", tag.line) }, "show it in index.html"),
    make("ul", { class: "cards" }, ...rows),
  ];
}

/**
 * @param {import("./studio.js").Shared} shared @param {string} event @param {{code: string, doc: string}} stub
 * @param {string | undefined} linked @param {string[]} names @param {(event: string, handler: string) => Promise<void>} link
 */
function eventRow(shared, event, stub, linked, names, link) {
  const choice = make("select", { "aria-label": `handler of ${event}`, onchange: () => link(event, choice.value) });
  choice.append(make("option", { value: "" }, "no handler"));
  for (const name of new Set(linked ? [...names, linked] : names)) {
    choice.append(make("option", { value: name, selected: name === linked }, names.includes(name) ? name : `${name} (not a handler)`));
  }
  const shown = make("div", { hidden: true }, make("pre", { class: "stub" }, stub.code), stubButtons(shared, event, stub.code, link));
  const icon = make("button", {
    "aria-label": `stub code for ${event}`, title: `stub code for ${event}`, "aria-expanded": "false", class: "icon",
    onclick: () => { shown.hidden = !shown.hidden; icon.setAttribute("aria-expanded", String(!shown.hidden)); },
  }, "{ }");
  return make("li", { "data-wf": event, title: stub.doc }, make("div", { class: "row" }, make("code", {}, event), choice, icon), shown);
}

/** @param {import("./studio.js").Shared} shared @param {string} event @param {string} code @param {(event: string, handler: string) => Promise<void>} link */
function stubButtons({ about, openFile }, event, code, link) {
  const said = make("span", { role: "status" });
  const copy = make("button", { onclick: async () => {
    await navigator.clipboard.writeText(code);
    said.textContent = "copied";
  } }, "Copy");
  const append = make("button", { onclick: async () => {
    try {
      const { name, file, line } = await ask("POST", "stubs", { event });
      await link(event, name);
      openFile(file, line);
    } catch (error) {
      complain(said, error);
    }
  } }, `Append to ${about.main} and link`);
  const only = make("button", { onclick: async () => {
    try {
      const { file, line } = await ask("POST", "stubs", { event });
      openFile(file, line);
    } catch (error) {
      complain(said, error);
    }
  } }, `Append to ${about.main}`);
  return make("div", { class: "row" }, copy, only, append, said);
}
