// The tab of events: the last ones of the session as a timeline, what each has changed, printed and come to.

import { make, shownMs } from "./dom.js";
import { lineOf } from "./log.js";
import { stagesOf } from "./stages.js";

/** @typedef {import("./feed.js").Entry} Entry */
/**
 * What is known of one event: entries of the feed, and when pages had and painted its end, in ms since 1970.
 * @typedef {{key: string, about: Entry, accepted?: Entry, ended?: Entry, updates: Entry[], lines: Entry[],
 *   seen: {[role: string]: {received: number, painted: number}}, row: HTMLElement, isOpen: boolean}} Record
 */

/** Events that are kept. */
const KEPT = 100;

/** @param {import("./studio.js").Shared} shared @returns {import("./studio.js").Tab} */
export function eventsTab(shared) {
  const list = make("ol", { class: "events" });
  const none = make("p", { class: "empty" }, "Nothing has happened in this session yet. Click something in the page.");
  const panel = make("section", { class: "page" }, make("h2", {}, "Events"), none, list);
  /** @type {Map<string, Record>} */
  const records = new Map();
  /** @type {Set<Record>} */
  const changed = new Set();

  /** @param {Entry} entry @param {boolean} begins whether it may be the first that is heard of an event */
  function find({ event }, begins = true) {
    const key = `${event.client}/${event.n}`;
    const known = records.get(key);
    if (known || !begins) return known;
    /** @type {Record} */
    const record = { key, about: event, updates: [], lines: [], seen: {}, row: make("li", { "data-event": key }), isOpen: false };
    records.set(key, record);
    list.prepend(record.row);
    none.hidden = true;
    if (records.size > KEPT) {
      const [[oldest, { row }]] = records;
      row.remove();
      records.delete(oldest);
    }
    return record;
  }

  /** @param {Record | undefined} record @param {(record: Record) => void} [note] */
  function take(record, note) {
    if (!record) return;
    note?.(record);
    if (!changed.size) requestAnimationFrame(() => {
      for (const one of changed) draw(one, shared);
      changed.clear();
      sort();
    });
    changed.add(record);
  }

  /** Put the newest first: what is told of them comes in several ways, and not always in their order. */
  function sort() {
    const rows = [...records.values()].sort((one, other) => begunAt(other) - begunAt(one)).map(({ row }) => row);
    if (rows.some((row, index) => list.children[index] !== row)) list.append(...rows);
  }

  const { feed } = shared;
  feed.on("accepted", (entry) => entry.own && take(find(entry), (record) => (record.accepted = entry)));
  feed.on("event", (entry) => entry.own && take(find(entry), (record) => (record.ended = entry)));
  feed.on("update", (entry) => entry.own && take(find(entry), (record) => record.updates.push(entry)));
  feed.on("log", (entry) => entry.own && entry.event && take(find(entry), (record) => record.lines.push(entry)));
  new BroadcastChannel("manyhands.studio").onmessage = ({ data }) => {
    // What a page has painted may be told before the feed tells of the event.
    if (data.event?.client) take(find(data), (record) => (record.seen[data.role] = data));
  };
  return { panel };
}

/** Give when an event came, as far as that is known, in seconds since 1970. @param {Record} record */
function begunAt({ ended, accepted, updates, seen }) {
  const received = Object.values(seen).map((one) => one.received / 1000);
  return ended?.times.posted ?? accepted?.time ?? updates[0]?.time ?? Math.min(...received);
}

/** @param {Record} record @param {import("./studio.js").Shared} shared */
function draw(record, shared) {
  const { ended, updates, row } = record;
  const end = updates.find(({ done }) => done);
  const { stages, total } = stagesOf(record);
  const outcome = end?.error ? end.error.code : ended?.outcome ?? (end ? "ok" : "runs");
  const summary = make("summary", {},
    make("code", {}, ended?.handler ?? "…"), " ", make("small", {}, String(record.about.n)), " ",
    make("span", { class: outcome === "ok" ? "good" : outcome === "runs" ? "" : "bad" }, outcome), " ",
    make("span", { class: "total" }, total ? `${shownMs(total)} ms` : ""),
    barOf(stages, total));
  const details = make("details", { open: record.isOpen, ontoggle: () => (record.isOpen = details.open) }, summary, ...detailsOf(record, stages, shared));
  row.replaceChildren(details);
}

/** @param {import("./stages.js").Stage[]} stages @param {number} total */
function barOf(stages, total) {
  const bar = make("span", { class: "timeline", "aria-hidden": "true" });
  for (const { name, ms } of stages) {
    const part = make("i", { "data-stage": name, title: `${name}: ${shownMs(ms)} ms` });
    part.style.flexGrow = String(total ? ms / total : 0);
    bar.append(part);
  }
  return bar;
}

/** @param {Record} record @param {import("./stages.js").Stage[]} stages @param {import("./studio.js").Shared} shared */
function* detailsOf({ ended, updates, lines }, stages, shared) {
  yield make("dl", { class: "stages" }, ...stages.flatMap(({ name, ms }) => [
    make("dt", { "data-stage": name }, name), make("dd", {}, `${shownMs(ms)} ms`)]));
  const mutations = updates.flatMap(({ set, unset }) => [
    ...(unset ?? []).map((/** @type {string[]} */ path) => make("li", {}, make("code", {}, `del ${path.join(".")}`))),
    ...(set ?? []).map((/** @type {[string[], any]} */ [path, value]) => make("li", {}, make("code", {}, `${path.join(".")} = ${shortened(value)}`))),
  ]);
  if (mutations.length) yield make("div", { class: "mutations" }, make("h3", {}, "Mutations"), make("ul", {}, ...mutations));
  if (lines.length) yield make("div", {}, make("h3", {}, "Output"), make("ol", { class: "log" }, ...lines.map((line) => lineOf(line, shared.openFile))));
  const end = updates.find(({ done }) => done);
  if (end?.error) yield make("p", { class: "bad" }, `${end.error.code}: ${end.error.message}`);
  if (end?.result !== null && end?.result !== undefined) yield make("p", {}, "Result: ", make("code", {}, shortened(end.result)));
  if (ended) yield againOf(ended, shared);
}

/** @param {Entry} ended @param {import("./studio.js").Shared} shared */
function againOf({ handler, payload, payload_left_out: leftOut, context, attempt }, { client }) {
  const isOurs = handler.startsWith("_");
  const again = make("button", { disabled: leftOut || isOurs, onclick: () => client.fire(handler, payload, { ...context }) }, "Fire it again");
  const why = leftOut ? "its payload is too large to be kept here" : isOurs ? "it was the studio's own" : "";
  const attempts = attempt > 1 ? `attempt ${attempt}; ` : "";
  return make("p", { class: "row" }, make("span", {}, `${attempts}payload: `, make("code", {}, leftOut ? "…" : shortened(payload))), again, make("small", {}, why));
}

/** @param {unknown} value */
function shortened(value) {
  const text = JSON.stringify(value) ?? "";
  return text.length > 500 ? `${text.slice(0, 500)} …` : text;
}
