// What is kept of the events that were fired and not accepted.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const stored = new Map();
globalThis.sessionStorage = {
  getItem: (key) => stored.get(key) ?? null,
  setItem: (key, value) => stored.set(key, value),
  removeItem: (key) => stored.delete(key),
};
const { Outbox } = await import("../../../gateway/manyhands_gateway/static/client/outbox.js");

const entry = (handler, more = {}) => ({ n: null, handler, payload: null, context: {}, ...more });

beforeEach(() => stored.clear());

test("a reloaded tab finds its events in order, with their numbers, bytes and session", () => {
  const box = new Outbox("box", "tab");
  box.entries.push(entry("one", { n: 4, payload: Uint8Array.of(1, 2), firing: {} }), entry("two", { until: 5 }));
  box.save("token");
  const again = new Outbox("box", "tab");
  assert.equal(again.restore(), "token");
  const expected = [entry("one", { n: 4, payload: Uint8Array.of(1, 2) }), entry("two", { until: 5 })];
  assert.deepEqual(again.entries, expected);
});

test("another tab, with a copy of the storage, finds nothing", () => {
  const box = new Outbox("box", "tab");
  box.entries.push(entry("one"));
  box.save(null);
  const other = new Outbox("box", "copy");
  assert.equal(other.restore(), null);
  assert.deepEqual(other.entries, []);
});

test("what was accepted is stored no more", () => {
  const box = new Outbox("box", "tab");
  box.entries.push(entry("one", { n: 1 }), entry("two", { n: 2 }));
  box.save("token");
  assert.deepEqual(box.take(({ n }) => n === 1).map(({ handler }) => handler), ["one"]);
  assert.deepEqual(JSON.parse(stored.get("box")).entries.map(({ handler }) => handler), ["two"]);
  box.take(() => true);
  assert.equal(stored.size, 0);
});

test("events that are too large to be stored do not keep the others from it", () => {
  const box = new Outbox("box", "tab");
  box.entries.push(entry("small"), entry("large", { payload: "x".repeat(3_000_000) }));
  box.save(null);
  assert.deepEqual(JSON.parse(stored.get("box")).entries.map(({ handler }) => handler), ["small"]);
  assert.equal(box.entries.length, 2);
});

test("damaged storage is taken for none", () => {
  stored.set("box", "{");
  assert.equal(new Outbox("box", "tab").restore(), null);
});

test("the largest of the events that were sent is found", () => {
  const box = new Outbox("box", "tab");
  box.entries.push(entry("a", { n: 1 }), entry("b", { n: 2, payload: "xxxx" }), entry("c", { payload: "xxxx" }));
  assert.equal(box.largest.entry.handler, "b");
});
