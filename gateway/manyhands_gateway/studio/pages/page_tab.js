// The tab of the app's page, in a frame: point at an element, and link its events to handlers.

import { ask } from "./api.js";
import { complain, make } from "./dom.js";
import { elementPanel } from "./element_panel.js";
import { faultList } from "./faults.js";
import { Frame } from "./frame.js";
import { makeNetwork } from "./network.js";

/** A start tag of index.html. @typedef {{at: number, name: string, id: string, line: number, in_template: boolean, events: {[event: string]: string}}} Tag */
/** What is wrong with one. @typedef {{at: number | null, code: string, message: string, cures: import("./faults.js").Cure[]}} Fault */
/** Write an attribute of a tag, or take it out where the value is empty. @typedef {(at: number, name: string, value: string) => Promise<void>} Write */

/** What the client says of events that have come to a bad end, which the tab of events shows. */
const OF_EVENTS = new Set(["handler_failed", "not_serialisable", "cancelled", "worker_lost", "closed", "outbox_full", "session_ended", "expired"]);

/** @param {import("./studio.js").Shared} shared @returns {import("./studio.js").Tab} */
export function pageTab(shared) {
  const trouble = make("p", { role: "alert" });
  const frame = new Frame(picked, loaded, () => showSide());
  const picking = make("button", { "aria-pressed": "false", onclick: () => pick(picking.getAttribute("aria-pressed") === "false") }, "Select an element");
  const side = make("aside", { class: "side", "aria-label": "the selected element" });
  const panel = make("section", { class: "framed" },
    make("div", { class: "bar" }, picking, make("button", { onclick: () => frame.reload() }, "Reload"), makeNetwork(() => frame.probe)),
    trouble, frame.element, side);
  /** Where the selected element's tag begins. @type {number | null} */
  let selected = null;
  /** Whether what was pointed at was made by a script, and lies in the selected element. */
  let isInside = false;
  /** @type {{etag: string, tags: Tag[], faults: Fault[]}} */
  let page = { etag: "", tags: [], faults: [] };

  async function read() {
    try {
      page = await ask("GET", "tags");
      complain(trouble, frame.isMarked || !frame.hasBegun ? undefined : "The frame has gone to another page; Reload brings index.html back.");
    } catch (error) {
      page = { etag: "", tags: [], faults: [] };
      complain(trouble, `${/** @type {Error} */ (error).message}. Write an index.html, and it is shown here; until then the frame lists the handlers.`);
    }
    showSide();
  }

  function showSide() {
    const focused = side.contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
    const open = side.querySelector("details")?.open ?? false;
    const tag = page.tags.find(({ at }) => at === selected);
    const faults = allFaults();
    const list = (/** @type {Fault[]} */ some) => faultList(shared, some, page.tags, select, write);
    side.replaceChildren(...(tag
      ? [back(), ...elementPanel(shared, tag, write, [isInside ? inside() : "", list(faults.filter(({ at }) => at === tag.at))])]
      : overview(list(faults), open)));
    if (focused) for (const one of side.querySelectorAll("[aria-label]")) if (one.getAttribute("aria-label") === focused) one.focus();
  }

  /** Give what the page's text shows to be wrong, and what the client says of the running page beside that. */
  function allFaults() {
    const known = new Set(page.faults.map(({ at, code }) => `${at} ${code}`));
    const said = frame.diagnostics.filter(({ at, code }) => !OF_EVENTS.has(code) && !known.has(`${at} ${code}`));
    return [...page.faults, ...said.map((one) => ({ ...one, cures: [] }))];
  }

  /** @param {Node} faults @param {boolean} open */
  function overview(faults, open) {
    const linked = page.tags.filter(({ events }) => Object.keys(events).length);
    const hint = "Choose “Select an element”, then point at one in the page.";
    const all = make("details", { open }, make("summary", {}, "All elements"), make("ul", { class: "plain" }, ...page.tags.map((tag) => make("li", {}, opener(tag)))));
    return [make("p", {}, hint), faults, make("h2", {}, "Elements with events"), make("ul", { class: "cards" }, ...linked.map(rowOf)), all];
  }

  /** @param {Tag} tag */
  function rowOf(tag) {
    const events = Object.entries(tag.events).map(([event, handler]) => make("p", {}, make("code", {}, `${event}="${handler}"`)));
    return make("li", {}, opener(tag), ...events);
  }

  /** @param {Tag} tag */
  function opener(tag) {
    return make("button", { class: "link", onclick: () => select(tag.at) }, titleOf(tag));
  }

  function back() {
    return make("button", { class: "link", onclick: () => select(null) }, "← all elements");
  }

  function inside() {
    return make("p", {}, "What you pointed at is not written in index.html: a script has made it, inside of this element.");
  }

  /** @param {number | null} at */
  function select(at, madeByScript = false) {
    selected = at;
    isInside = madeByScript;
    frame.select(at);
    showSide();
  }

  /** @param {number | null} at @param {boolean} isOwn */
  function picked(at, isOwn) {
    pick(false);
    select(at, !isOwn);
  }

  /** @param {boolean} on */
  function pick(on) {
    picking.setAttribute("aria-pressed", String(on));
    frame.pick(on);
  }

  /** @type {Write} */
  async function write(at, name, value) {
    try {
      await ask("PUT", "tags", { etag: page.etag, at, name, value });
      await read();
    } catch (error) {
      await read();
      complain(trouble, error);
    }
    frame.reload();
  }

  async function loaded() {
    pick(false);
    await read();
    select(selected, isInside);
  }

  function begin() {
    if (panel.hidden || frame.hasBegun) return;
    // Not before there is a session: both would begin one, and the studio would show another than the page has.
    if (shared.client.status !== "connecting") return frame.reload();
    complain(trouble, "No worker has the app yet; the log below the code says why. The page is shown once one has.");
  }

  shared.feed.on("app", () => panel.hidden || !frame.hasBegun || read());
  shared.client.on("status", begin);
  return { panel, shown: () => (frame.hasBegun ? read() : begin()) };
}

/** @param {Tag} tag */
export function titleOf({ name, id, line }) {
  return `<${name}${id ? ` id="${id}"` : ""}> in line ${line}`;
}
