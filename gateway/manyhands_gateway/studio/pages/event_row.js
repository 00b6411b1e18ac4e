// One event in the timeline: a line, and what lies behind it once it is opened.

import { leftOut, shortened } from "./events_tab.js";
import { make, shownMs } from "./dom.js";
import { lineOf } from "./log.js";
import { stagesOf } from "./stages.js";

/** @typedef {import("./events_tab.js").Record} Record */
/** @typedef {import("./stages.js").Stage} Stage */

export class EventRow {
  #handler = make("code");
  #outcome = make("span");
  #total = make("span", { class: "total" });
  #bar = make("span", { class: "timeline", "aria-hidden": "true" });
  #body = make("div");
  #details;

  /** @param {string} key @param {Record} record @param {import("./studio.js").Shared} shared */
  constructor(key, record, shared) {
    this.record = record;
    this.shared = shared;
    const n = make("small", {}, String(record.event.n));
    const summary = make("summary", {}, this.#handler, " ", n, " ", this.#outcome, " ", this.#total, this.#bar);
    this.#details = make("details", { ontoggle: () => this.#drawBody() }, summary, this.#body);
    this.element = make("li", { "data-event": key }, this.#details);
  }

  draw() {
    const { ended, end, accepted, lines, time } = this.record;
    const { stages, total } = stagesOf(this.record);
    const going = lines.length || time ? "runs" : "waits";
    const outcome = end?.error ? end.error.code : ended?.outcome ?? (end ? "ok" : going);
    this.#handler.textContent = ended?.handler ?? lines[0]?.handler ?? accepted?.handler ?? "…";
    this.#outcome.textContent = outcome;
    this.#outcome.className = outcome === "ok" ? "good" : outcome === going ? "" : "bad";
    this.#total.textContent = total ? `${shownMs(total)} ms` : "";
    this.#bar.replaceChildren(...stages.map((stage) => partOf(stage, total)));
    this.#drawBody();
  }

  #drawBody() {
    // Most are never opened.
    if (!this.#details.open) return this.#body.replaceChildren();
    const focused = document.activeElement;
    const label = focused && this.#body.contains(focused) ? focused.textContent : null;
    this.#body.replaceChildren(...detailsOf(this.record, stagesOf(this.record).stages, this.shared));
    if (label === null) return;
    for (const button of this.#body.querySelectorAll("button")) if (button.textContent === label) return button.focus();
  }
}

/** @param {Stage} stage @param {number} total */
function partOf({ name, ms }, total) {
  const part = make("i", { "data-stage": name, title: `${name}: ${shownMs(ms)} ms` });
  part.style.flexGrow = String(total ? ms / total : 0);
  return part;
}

/** @param {Record} record @param {Stage[]} stages @param {import("./studio.js").Shared} shared */
function* detailsOf({ ended, end, mutations, mutationCount, lines, lineCount }, stages, shared) {
  if (stages.length) yield make("dl", { class: "stages" }, ...stages.map(({ name, ms }) =>
    make("div", {}, make("dt", { "data-stage": name }, name), make("dd", {}, `${shownMs(ms)} ms`))));
  if (mutations.length) {
    const items = mutations.map((text) => make("li", {}, make("code", {}, text)));
    yield make("div", { class: "mutations" }, make("h3", {}, "Mutations"), make("ul", {}, leftOut(mutationCount, mutations), ...items));
  }
  if (lines.length) {
    const items = lines.map((line) => lineOf(line, shared.openFile));
    yield make("div", {}, make("h3", {}, "Output"), make("ol", { class: "log" }, leftOut(lineCount, lines), ...items));
  }
  if (end?.error) yield make("p", { class: "bad" }, `${end.error.code}: ${end.error.message}`);
  if (end?.result !== null && end?.result !== undefined) yield make("p", {}, "Result: ", make("code", {}, shortened(end.result)));
  if (ended) yield againOf(ended, shared);
}

/** @param {import("./feed.js").Entry} ended @param {import("./studio.js").Shared} shared */
function againOf({ handler, payload, payload_left_out: isLeftOut, context, attempt }, { client }) {
  const isOurs = handler.startsWith("_");
  const again = make("button", { disabled: isLeftOut || isOurs, onclick: () => client.fire(handler, payload, contextOf(context)) }, "Fire it again");
  const why = isLeftOut ? "its payload is too large to be kept here" : isOurs ? "it was the studio's own" : "";
  const attempts = attempt > 1 ? `attempt ${attempt}; ` : "";
  return make("p", { class: "row" }, make("span", {}, `${attempts}payload: `, make("code", {}, isLeftOut ? "…" : shortened(payload))), again, make("small", {}, why));
}

/** Give what a page would say of where the event came from: what is not known is left out. @param {{[name: string]: any}} context */
function contextOf(context) {
  return Object.fromEntries(Object.entries(context).filter(([, value]) => value !== null && value?.length !== 0));
}
