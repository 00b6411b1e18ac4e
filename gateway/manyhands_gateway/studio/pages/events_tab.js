// The tab of events: the last ones of the session as a timeline, what each has changed, printed and come to.

import { make } from "./dom.js";
import { EventRow } from "./event_row.js";

/** @typedef {import("./feed.js").Entry} Entry */
/** When a page had the end of an event, and had painted it, in ms since 1970. @typedef {{received: number, painted: number}} Seen */
/**
 * What is known of one event: entries of the feed, and what pages tell. Of mutations and lines the last ones are kept.
 * @typedef {{event: {client: string, n: number}, accepted?: Entry, ended?: Entry, end?: Entry, time?: number,
 *   mutations: string[], mutationCount: number, lines: Entry[], lineCount: number, seen: {[role: string]: Seen}}} Record
 */

/** Events that are kept, and what is kept of each. */
const KEPT = 100;
const KEPT_MUTATIONS = 200;
const KEPT_LINES = 100;

/** @param {import("./studio.js").Shared} shared @returns {import("./studio.js").Tab} */
export function eventsTab(shared) {
  const list = make("ol", { class: "events" });
  const none = make("p", { class: "empty" }, "Nothing has happened in this session yet. Click something in the page.");
  const panel = make("section", { class: "page" }, make("h2", {}, "Events"), none, list);
  /** @type {Map<string, {record: Record, row: EventRow}>} */
  const known = new Map();
  /** What pages tell before the feed tells of the event. @type {Map<string, Record["seen"]>} */
  const early = new Map();
  /** @type {Set<string>} */
  const changed = new Set();

  /** @param {Entry} entry @param {(record: Record) => void} note */
  function take({ event }, note) {
    const key = keyOf(event);
    const found = known.get(key) ?? add(key, event);
    note(found.record);
    if (!changed.size) requestAnimationFrame(draw);
    changed.add(key);
  }

  /** @param {string} key @param {Record["event"]} event */
  function add(key, event) {
    /** @type {Record} */
    const record = { event, mutations: [], mutationCount: 0, lines: [], lineCount: 0, seen: early.get(key) ?? {} };
    early.delete(key);
    const made = { record, row: new EventRow(key, record, shared) };
    known.set(key, made);
    list.prepend(made.row.element);
    none.hidden = true;
    dropOldest(known, KEPT)?.row.element.remove();
    return made;
  }

  function draw() {
    for (const key of changed) known.get(key)?.row.draw();
    changed.clear();
    // The newest first: what is told of them comes in several ways, and not always in their order.
    const rows = [...known.values()].sort((one, other) => begunAt(other.record) - begunAt(one.record)).map(({ row }) => row.element);
    if (rows.some((row, index) => list.children[index] !== row)) list.append(...rows);
  }

  /** @param {Record} record @param {Entry} update */
  function noteUpdate(record, update) {
    record.time ??= update.time;
    if (update.done) record.end = update;
    noteMutations(record, [
      ...(update.unset ?? []).map((/** @type {string[]} */ path) => `del ${path.join(".")}`),
      ...(update.set ?? []).map((/** @type {[string[], any]} */ [path, value]) => `${path.join(".")} = ${shortened(value)}`),
      ...(update.add ?? []).map((/** @type {[string[], string]} */ [path, text]) => `${path.join(".")} += ${shortened(text)}`),
    ]);
  }

  const { feed } = shared;
  feed.on("accepted", (entry) => entry.own && take(entry, (record) => (record.accepted = entry)));
  feed.on("event", (entry) => entry.own && take(entry, (record) => {
    record.ended = entry;
    noteMutations(record, entry.untold.map((/** @type {any} */ { path, is_shown: isShown, value }) =>
      isShown ? `${path.join(".")} = ${shortened(value)}` : `${path.join(".")}: assigned, see State`));
  }));
  feed.on("update", (entry) => entry.own && entry.event && take(entry, (record) => noteUpdate(record, entry)));
  feed.on("log", (entry) => entry.own && entry.event && take(entry, (record) => {
    record.lineCount++;
    record.lines = [...record.lines, entry].slice(-KEPT_LINES);
  }));
  new BroadcastChannel("manyhands.studio").onmessage = ({ data }) => {
    const { role, event, received, painted } = data;
    if (!event?.client) return;
    const key = keyOf(event);
    if (known.has(key)) return take(data, (record) => (record.seen[role] = { received, painted }));
    early.set(key, { ...early.get(key), [role]: { received, painted } });
    dropOldest(early, KEPT);
  };
  return { panel };
}

/** @param {Record["event"]} event */
const keyOf = ({ client, n }) => `${client}/${n}`;

/** @template T @param {Map<string, T>} map @param {number} most */
function dropOldest(map, most) {
  if (map.size <= most) return undefined;
  const [[key, oldest]] = map;
  map.delete(key);
  return oldest;
}

/** Give when an event came, as far as that is known, in seconds since 1970. @param {Record} record */
function begunAt({ ended, accepted, time, lines }) {
  return ended?.times.posted ?? accepted?.time ?? time ?? lines[0]?.time ?? 0;
}

/** @param {Record} record @param {string[]} texts */
function noteMutations(record, texts) {
  record.mutationCount += texts.length;
  record.mutations = [...record.mutations, ...texts].slice(-KEPT_MUTATIONS);
}

/** Write a value on a line. @param {unknown} value */
export function shortened(value) {
  const text = JSON.stringify(value) ?? "";
  return text.length > 500 ? `${text.slice(0, 500)} …` : text;
}

/** Say how much of a list is not shown. @param {number} count @param {unknown[]} shown */
export function leftOut(count, shown) {
  return count > shown.length ? make("li", {}, make("small", {}, `… ${count - shown.length} before these`)) : null;
}
