// One copy of a state: what updates make of it, who is told, and large values that come late.

import assert from "node:assert/strict";
import { test } from "node:test";

import { parsePath } from "../../../gateway/manyhands_gateway/static/client/paths.js";
import { Store } from "../../../gateway/manyhands_gateway/static/client/store.js";

/** A store, what it has asked for, and what was called. */
function begin(state = {}) {
  const [asked, called] = [[], []];
  const fetch = (reference) => new Promise((resolve) => asked.push({ ...reference, resolve }));
  const store = new Store(fetch, (watcher) => watcher.call());
  store.replace(state, 0);
  const watch = (path) => store.watch(parsePath(path), { call: () => called.push(path) });
  return { store, asked, called, watch };
}

const blob = (url) => ({ $blob: url, type: "application/json", size: 40000 });
/** Lets what waits for a fetch go on. */
const settled = () => new Promise(setImmediate);

test("unset is applied before set, and a dict replaces what was below it", () => {
  const { store } = begin({ a: { b: 1, c: 2 } });
  store.apply({ seq: 1, unset: [["a", "b"], ["no", "such"]], set: [[["a", "d", "e"], 3]] });
  assert.deepEqual(store.data, { a: { c: 2, d: { e: 3 } } });
  store.apply({ seq: 2, set: [[["a"], { z: 1 }]] });
  assert.deepEqual(store.data, { a: { z: 1 } });
});

test("an update that was seen is passed over, and a gap is told of", () => {
  const { store } = begin({ a: 1 });
  assert.equal(store.apply({ seq: 1, set: [[["a"], 2]] }), true);
  assert.equal(store.apply({ seq: 1, set: [[["a"], 3]] }), true);
  assert.equal(store.apply({ seq: 3, set: [[["a"], 4]] }), false);
  assert.deepEqual([store.data, store.seq], [{ a: 2 }, 1]);
});

test("a room's update with a state replaces all, and with null forgets it", () => {
  const { store } = begin({ a: 1 });
  store.apply({ seq: 7, state: { b: 2 } });
  assert.deepEqual([store.data, store.seq], [{ b: 2 }, 7]);
  store.apply({ seq: 8, state: null });
  assert.deepEqual([store.data, store.seq], [{}, null]);
});

test("only those are told who watch at, above or below what has changed", () => {
  const { store, called, watch } = begin({ a: { b: { c: 1 }, x: 1 } });
  for (const path of ["a.b", "a.b.c", "a.x", "", "a.b.c.d", "other"]) watch(path);
  store.apply({ seq: 1, set: [[["a", "b", "c"], 2]] });
  assert.deepEqual(called.sort(), ["", "a.b", "a.b.c", "a.b.c.d"]);
});

test("who has stopped watching is told no more", () => {
  const { store, called, watch } = begin({});
  const stop = watch("a.b");
  watch("a");
  stop();
  store.apply({ seq: 1, set: [[["a", "b"], 2]] });
  assert.deepEqual(called, ["a"]);
});

test("names that objects have of themselves are names like any other", () => {
  const { store } = begin({});
  store.apply({ seq: 1, set: [[["constructor", "prototype", "bad"], 1], [["__proto__", "bad"], 2]] });
  assert.equal({}.bad, undefined);
  assert.equal(store.read(["__proto__", "bad"]), 2);
  assert.equal(begin({}).store.read(["constructor"]), undefined);
});

test("a large value shows once it has come, and the old one until then", async () => {
  const { store, asked } = begin({ a: "old" });
  store.apply({ seq: 1, set: [[["a"], blob("/1")], [["b"], { small: 1, large: blob("/2") }]] });
  assert.deepEqual(store.data, { a: "old", b: { small: 1 } });
  asked[0].resolve([1, 2]);
  asked[1].resolve("text");
  await settled();
  assert.deepEqual(store.data, { a: [1, 2], b: { small: 1, large: "text" } });
});

test("a list shows once all that is large in it has come", async () => {
  const { store, asked } = begin({});
  store.apply({ seq: 1, set: [[["a"], [1, { x: blob("/1") }, blob("/2")]]] });
  asked[0].resolve("one");
  await settled();
  assert.deepEqual(store.data, {});
  asked[1].resolve("two");
  await settled();
  assert.deepEqual(store.data, { a: [1, { x: "one" }, "two"] });
});

test("a newer assignment wins over a large value that comes late", async () => {
  const { store, asked } = begin({});
  store.apply({ seq: 1, set: [[["a"], blob("/1")], [["b", "c"], blob("/2")], [["d"], blob("/3")]] });
  store.apply({ seq: 2, set: [[["a"], "new"], [["b"], { x: 1 }]], unset: [["d"]] });
  for (const one of asked) one.resolve("late");
  await settled();
  assert.deepEqual(store.data, { a: "new", b: { x: 1 } });
});

test("what is assigned below a large value waits for it", async () => {
  const { store, asked } = begin({});
  store.apply({ seq: 1, set: [[["a"], blob("/1")]] });
  store.apply({ seq: 2, set: [[["a", "x"], 2]] });
  asked[0].resolve({ x: 1, y: 1 });
  await settled();
  assert.deepEqual(store.data, { a: { x: 2, y: 1 } });
});

test("a large value that is gone leaves what was there", async () => {
  const { store, asked } = begin({ a: "old" });
  store.apply({ seq: 1, set: [[["a"], blob("/1")]] });
  asked[0].resolve(undefined);
  await settled();
  assert.deepEqual(store.data, { a: "old" });
});

test("who holds what was read sees no change in it, and what has not changed stays the same object", () => {
  const { store } = begin({ a: { b: { c: 1 }, list: [{ x: 1 }] }, beside: { z: 1 } });
  const before = store.data;
  const copy = structuredClone(before);
  store.apply({ seq: 1, set: [[["a", "b", "c"], 2], [["a", "b", "d"], 3]], unset: [["a", "none"]] });
  assert.deepEqual(before, copy);
  assert.deepEqual(store.read(["a", "b"]), { c: 2, d: 3 });
  assert.notEqual(store.data.a, before.a);
  assert.equal(store.data.a.list, before.a.list);
  assert.equal(store.data.beside, before.beside);
  const after = store.data;
  store.apply({ seq: 2, unset: [["a", "b"], ["no", "such"]] });
  store.show(["a", "list", "0", "x"], 2);
  assert.deepEqual(after.a, { b: { c: 2, d: 3 }, list: [{ x: 1 }] });
  assert.deepEqual(store.data.a, { list: [{ x: 2 }] });
});

test("what nobody has read since is changed in place, so that many changes of a wide dict cost no copy each", () => {
  const { store } = begin({ wide: { 0: 0 } });
  const held = store.data.wide;
  const set = [["wide", "1"], ["wide", "2"]].map((path) => [path, 1]);
  store.apply({ seq: 1, set });
  const mine = store.read(["wide"]);
  assert.deepEqual([held, mine], [{ 0: 0 }, { 0: 0, 1: 1, 2: 1 }]);
  const started = performance.now();
  for (let seq = 2; seq < 40_000; seq++) store.apply({ seq, set: [[["wide", `k${seq}`], seq]] });
  assert.ok(performance.now() - started < 5000);
  assert.equal(Object.keys(mine).length, 3);
});

test("what was added to a text is put behind it, after what was set", () => {
  const { store, called, watch } = begin({ a: { b: "one" }, text: "old", ["__proto__"]: "p" });
  watch("a.b");
  assert.equal(store.apply({ seq: 1, set: [[["text"], ""]], add: [[["text"], "x"], [["a", "b"], " two"], [["__proto__"], "q"]] }), true);
  assert.deepEqual([store.data.text, store.data.a.b, store.read(["__proto__"])], ["x", "one two", "pq"]);
  assert.deepEqual(called, ["a.b"]);
});

test("what was added to something else than a text is not shown, and a whole state is asked for", () => {
  for (const state of [{}, { a: null }, { a: 1 }, { a: ["x"] }, { a: { b: "x" } }]) {
    const { store } = begin(state);
    assert.equal(store.apply({ seq: 1, add: [[["a"], "more"]] }), false);
    assert.deepEqual([store.data, store.seq], [state, null]);
    assert.equal(store.apply({ seq: 2, set: [[["a"], "late"]] }), true);
    assert.deepEqual(store.data, state);
  }
});

test("what was added is put behind what the server has, whatever the user has typed meanwhile", () => {
  const { store } = begin({ a: "server", b: "server" });
  store.show(["a"], "typ");
  store.show(["a"], "typed");
  store.show(["b"], "typed");
  store.apply({ seq: 1, set: [[["b"], "assigned"]] });
  store.apply({ seq: 2, add: [[["a"], "!"], [["b"], "!"]] });
  assert.deepEqual(store.data, { a: "server!", b: "assigned!" });
});

test("what was added to a large text that has not come yet is not put behind an older one", () => {
  const { store } = begin({ a: "old" });
  store.apply({ seq: 1, set: [[["a"], blob("/1")]] });
  assert.equal(store.apply({ seq: 2, add: [[["a"], "more"]] }), false);
  assert.equal(store.data.a, "old");
});
