// The tab of the app's page, in a frame: point at an element, and link its events to handlers.

import { ask } from "./api.js";
import { complain, make } from "./dom.js";
import { elementPanel } from "./element_panel.js";
import { makeNetwork } from "./network.js";

/** What an element's tag says of where it stands in index.html. */
const MARK = "data-mh-at";
const SOURCE = "/?mh-studio";

/** @param {import("./studio.js").Shared} shared @returns {import("./studio.js").Tab} */
export function pageTab(shared) {
  const trouble = make("p", { role: "alert" });
  const frame = make("iframe", { title: "the app's page" });
  const picking = make("button", { "aria-pressed": "false", onclick: () => pick(picking.getAttribute("aria-pressed") === "false") }, "Select an element");
  const side = make("aside", { class: "side" });
  const panel = make("section", { class: "framed" },
    make("div", { class: "bar" }, picking, make("button", { onclick: reload }, "Reload"), makeNetwork(() => frame.contentWindow?.manyhandsProbe)),
    trouble, frame, side);
  /** Where the selected element's tag begins. @type {number | null} */
  let selected = null;
  /** @type {{etag: string, tags: any[]}} */
  let page = { etag: "", tags: [] };

  function reload() {
    if (frame.src) frame.contentWindow?.location.reload();
    else frame.src = SOURCE;
  }

  async function read() {
    try {
      page = await ask("GET", "tags");
      complain(trouble);
    } catch (error) {
      complain(trouble, `${/** @type {Error} */ (error).message}. Write an index.html, and it is shown here; until then the frame lists the handlers.`);
    }
    showSide();
  }

  function showSide() {
    const tag = page.tags.find(({ at }) => at === selected);
    side.replaceChildren(...(tag ? elementPanel(shared, tag, link) : overview()));
  }

  /** Give the elements that have events, and what is wrong with them. */
  function overview() {
    const linked = page.tags.filter(({ events }) => Object.keys(events).length);
    const rows = linked.map((tag) => make("li", {},
      make("button", { class: "link", onclick: () => select(tag.at) }, titleOf(tag)),
      ...Object.entries(tag.events).map(([event, handler]) => make("p", {}, make("code", {}, `${event}="${handler}"`))),
      ...faultsOf(tag, shared.about.app?.handlers).map((fault) => make("p", { class: "bad" }, fault))));
    const hint = "Choose “Select an element”, then click one in the page.";
    return [make("p", {}, hint), make("h2", {}, "Elements with events"), make("ul", { class: "cards" }, ...rows)];
  }

  /** @param {number | null} at */
  function select(at) {
    selected = at;
    for (const element of frame.contentDocument?.querySelectorAll(`[${MARK}]`) ?? []) {
      element.style.outline = at !== null && element.getAttribute(MARK) === String(at) ? "3px solid #c2410c" : "";
    }
    showSide();
  }

  /** @param {boolean} on */
  function pick(on) {
    picking.setAttribute("aria-pressed", String(on));
    const body = frame.contentDocument?.documentElement;
    if (body) body.style.cursor = on ? "crosshair" : "";
  }

  /** Link an event of the selected element. @param {string} event @param {string} handler */
  async function link(event, handler) {
    if (selected === null) return;
    try {
      await ask("PUT", "tags", { etag: page.etag, at: selected, event, handler });
      await read();
    } catch (error) {
      await read();
      complain(trouble, error);
    }
    reload();
  }

  frame.addEventListener("load", async () => {
    const { contentDocument } = frame;
    // Before the page's own listeners: what is pointed at is not clicked.
    for (const type of ["pointerdown", "mousedown", "mouseup", "click"]) {
      contentDocument.addEventListener(type, (/** @type {MouseEvent} */ event) => {
        if (picking.getAttribute("aria-pressed") !== "true") return;
        event.preventDefault();
        event.stopImmediatePropagation();
        if (type !== "click") return;
        const element = /** @type {Element} */ (event.target).closest(`[${MARK}]`);
        pick(false);
        select(element ? Number(element.getAttribute(MARK)) : null);
      }, true);
    }
    pick(false);
    await read();
    select(selected);
  });
  shared.feed.on("app", () => showSide());
  // Not before there is a session: both would begin one, and the studio would show another than the page has.
  const begin = () => void (!panel.hidden && !frame.src && shared.client.status !== "connecting" && reload());
  shared.client.on("status", begin);
  return { panel, shown: begin };
}

/** @param {any} tag */
export function titleOf({ name, id, line }) {
  return `<${name}${id ? ` id="${id}"` : ""}> in line ${line}`;
}

/**
 * Say what is wrong with an element's events, and what to write instead.
 * @param {any} tag @param {any[] | undefined} handlers
 */
function faultsOf({ id, events }, handlers) {
  const names = handlers?.map(({ name }) => name);
  const unknown = Object.entries(events).filter(([, handler]) => names && !names.includes(handler));
  return [
    ...unknown.map(([event, handler]) => `${event} names ${handler || "no handler"}, which is none; write def ${handler || "it"}(state) in the main module, or choose another one.`),
    ...(id ? [] : ["It has no id, so context[\"target\"] is None; write id=\"…\" where handlers ask for it."]),
  ];
}
