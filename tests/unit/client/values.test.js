// Paths, names and both encodings.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fromJson, toJson } from "../../../gateway/manyhands_gateway/static/client/codec.js";
import { nearest } from "../../../gateway/manyhands_gateway/static/client/advice.js";
import { pack, unpack } from "../../../gateway/manyhands_gateway/static/client/msgpack.js";
import { covers, parsePath, read } from "../../../gateway/manyhands_gateway/static/client/paths.js";
import { resolve } from "../../../gateway/manyhands_gateway/static/client/scope.js";

test("a path has dots between its keys, and keys that have dots of their own are escaped", () => {
  assert.deepEqual(parsePath("a.b"), ["a", "b"]);
  assert.deepEqual(parsePath(String.raw`a\.b.c\\`), ["a.b", "c\\"]);
  assert.deepEqual(parsePath(""), []);
  assert.deepEqual(parsePath(["a.b"]), ["a.b"]);
});

test("reading goes into lists, and no further than there is something", () => {
  assert.equal(read({ a: [{ b: 1 }] }, ["a", "0", "b"]), 1);
  assert.equal(read({ a: "text" }, ["a", "length"]), undefined);
  assert.equal(read({ a: null }, ["a", "b"]), undefined);
  assert.ok(covers(["a"], ["a", "b"]) && covers([], ["a"]) && !covers(["a", "b"], ["a"]));
});

test("names of repeaters stand for what they repeat, the inner ones first", () => {
  const outer = { outer: null, path: ["todos"], key: "7", keyName: "id", valueName: "todo" };
  const inner = { outer, path: ["todos", "7", "tags"], key: "0", keyName: "itemId", valueName: "item" };
  assert.deepEqual(resolve("todo.done", inner), { path: ["todos", "7", "done"], not: false, written: "todo.done" });
  assert.deepEqual(resolve("!item", inner), { path: ["todos", "7", "tags", "0"], not: true, written: "item" });
  assert.deepEqual(resolve("id", inner), { path: null, constant: "7", not: false, written: "id" });
  assert.deepEqual(resolve("item", outer), { path: ["item"], not: false, written: "item" });
});

test("the nearest name is near", () => {
  assert.equal(nearest("conter", ["user", "counter", "count_all"]), "counter");
  assert.equal(nearest("x", ["something", "else"]), null);
});

test("bytes travel as base64 in JSON, however many", () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 256);
  assert.deepEqual(fromJson(toJson({ a: [bytes] })), { a: [bytes] });
  assert.equal(toJson({ a: Uint8Array.of(255) }), '{"a":{"$bytes":"/w=="}}');
  assert.deepEqual(fromJson('{"a": {"$bytes": "AA==", "more": 1}}'), { a: { $bytes: "AA==", more: 1 } });
});

test("what is packed is unpacked", () => {
  const value = {
    none: null, yes: true, no: false, numbers: [0, 127, 128, -1, -32, -33, 2 ** 31, -(2 ** 53) + 1, 0.1, -0, Infinity],
    text: ["", "x".repeat(31), "ü".repeat(40_000), "\ufeffmark", "𝄞"], bytes: new Uint8Array(70_000), empty: [{}, []],
    long: Array.from({ length: 70_000 }, (_, i) => i), ["__proto__"]: "a key",
  };
  assert.deepEqual(unpack(pack(value)), value);
  assert.deepEqual(Object.keys(unpack(pack(value))), Object.keys(value));
  assert.ok(Number.isNaN(unpack(pack(NaN))));
  assert.deepEqual(unpack(pack({ a: undefined, b: 1 })), { b: 1 });
});

test("damaged msgpack is refused", () => {
  for (const bytes of [[], [0x93, 1], [0xc4, 5, 1], [0xc1], [1, 1], [0xa1, 0xff], [0xc7, 1, 2, 3]]) {
    assert.throws(() => unpack(Uint8Array.from(bytes)), undefined, String(bytes));
  }
});
