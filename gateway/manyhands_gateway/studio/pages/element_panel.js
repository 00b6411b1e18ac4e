// What is beside the page: the events of the selected element, the handler of each, and a stub to begin with.

import { ask } from "./api.js";
import { complain, make } from "./dom.js";
import { titleOf } from "./page_tab.js";

/** @typedef {import("./page_tab.js").Tag} Tag */
/** Link an event of the element. @typedef {(event: string, handler: string) => Promise<void>} Link */

/**
 * Make it.
 * @param {import("./studio.js").Shared} shared @param {Tag} tag @param {import("./page_tab.js").Write} write
 * @param {(Node | string)[]} faults what is wrong with the element
 * @returns {(Node | string)[]}
 */
export function elementPanel(shared, tag, write, faults) {
  const { stubs, app } = shared.about;
  const names = (app?.handlers ?? []).map((/** @type {any} */ { name }) => name);
  const link = (/** @type {string} */ event, /** @type {string} */ handler) => write(tag.at, event, handler);
  const rows = Object.entries(stubs).map(([event, stub]) => eventRow(shared, event, /** @type {any} */ (stub), tag.events[event], names, link));
  return [
    make("h2", {}, titleOf(tag)),
    make("button", { class: "link", onclick: () => shared.openFile("index.html", tag.line) }, "show it in index.html"),
    ...faults,
    idForm(tag, write),
    make("ul", { class: "cards" }, ...rows),
  ];
}

/** @param {Tag} tag @param {import("./page_tab.js").Write} write */
function idForm(tag, write) {
  const id = make("input", { "aria-label": "id", value: tag.id, placeholder: "none", spellcheck: false, pattern: "[\\w\\-]{1,100}", title: "letters, digits, - and _", required: true });
  return make("form", { class: "row id", onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    write(tag.at, "id", id.value);
  } }, make("code", {}, "id"), id, make("button", {}, "Write"));
}

/**
 * @param {import("./studio.js").Shared} shared @param {string} event @param {{code: string, doc: string}} stub
 * @param {string | undefined} linked @param {string[]} names @param {Link} link
 */
function eventRow(shared, event, stub, linked, names, link) {
  const choice = make("select", { "aria-label": `handler of ${event}`, onchange: () => link(event, choice.value) });
  choice.append(make("option", { value: "" }, "no handler"));
  for (const name of new Set(linked ? [...names, linked] : names)) {
    choice.append(make("option", { value: name, selected: name === linked }, names.includes(name) ? name : `${name}: unknown`));
  }
  const shown = make("div", { hidden: true }, make("pre", { class: "stub" }, stub.code), stubButtons(shared, event, stub.code, link));
  const icon = make("button", {
    "aria-label": `stub code for ${event}`, title: `stub code for ${event}`, "aria-expanded": "false", class: "icon",
    onclick: () => { shown.hidden = !shown.hidden; icon.setAttribute("aria-expanded", String(!shown.hidden)); },
  }, "{ }");
  return make("li", { "data-wf": event, title: stub.doc }, make("div", { class: "row" }, make("code", {}, event), choice, icon), shown);
}

/** @param {import("./studio.js").Shared} shared @param {string} event @param {string} code @param {Link} link */
function stubButtons({ about, openFile }, event, code, link) {
  const said = make("span", { role: "status" });
  const copy = make("button", { onclick: async () => {
    try {
      await navigator.clipboard.writeText(code);
      said.textContent = "copied";
    } catch {
      complain(said, "the browser does not let it be copied; select the text above");
    }
  } }, "Copy");
  /** @param {boolean} isLinked */
  const append = async (isLinked) => {
    try {
      const { name, file, line } = await ask("POST", "stubs", { event });
      if (isLinked) await link(event, name);
      openFile(file, line);
    } catch (error) {
      complain(said, error);
    }
  };
  return make("div", { class: "row" }, copy, make("button", { onclick: () => append(false) }, `Append to ${about.main}`),
    make("button", { onclick: () => append(true) }, `Append to ${about.main} and link`), said);
}
