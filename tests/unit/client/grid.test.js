// What tables show of values, as users read them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cellText, gridOf } from "../../../gateway/manyhands_gateway/static/client/grid.js";

const read = (value) => {
  const { types, shown, rows } = gridOf(value);
  return rows.map((row) => row.map((one, i) => cellText(one, types[i], shown[i])));
};

test("missing values are dashes, and floats lose their noise only", () => {
  const rows = [[null, NaN, 0.1 + 0.2, 1e21, Infinity, -Infinity, 12345678901]];
  const columns = rows[0].map(String);
  assert.deepEqual(read({ columns, rows }), [["–", "–", "0.3", "1e+21", "∞", "-∞", "12345678901"]]);
});

test("moments are days where a whole column is midnights, and else without what says nothing", () => {
  const column = (...moments) => read({ columns: ["at"], types: ["date"], rows: moments.map((one) => [one]) }).flat();
  assert.deepEqual(column("2024-02-29T00:00:00", null, "2024-03-01T00:00:00"), ["2024-02-29", "–", "2024-03-01"]);
  assert.deepEqual(column("2024-02-29T00:00:00+02:00"), ["2024-02-29"]);
  assert.deepEqual(column("2024-02-29T00:00:00", "2024-02-29T12:30:05.250"), ["2024-02-29 00:00:00", "2024-02-29 12:30:05"]);
  assert.deepEqual(column("2024-02-29T12:30:00+00:00"), ["2024-02-29 12:30+00:00"]);
  assert.deepEqual(column("2024-02-29", "2024-03-01"), ["2024-02-29", "2024-03-01"]);
});

test("numbers of a column have as many decimals, unless some have many", () => {
  const column = (...numbers) => read(numbers.map((n) => ({ n }))).flat();
  assert.deepEqual(column(1, 2.5, null, -0.25), ["1.00", "2.50", "–", "-0.25"]);
  assert.deepEqual(column(5, 6), ["5", "6"]);
  assert.deepEqual(column(1, 1 / 3), ["1", "0.333333333333"]);
  assert.deepEqual(column(1.5, 1e-9), ["1.5", "1e-9"]);
});

test("text that looks like a moment or a number stays as it is where its column is text", () => {
  assert.deepEqual(read({ columns: ["a"], types: ["text"], rows: [["2024-02-29T00:00:00"], ["007"]] }).flat(), ["2024-02-29T00:00:00", "007"]);
});

test("what is within a cell is told, not drawn", () => {
  assert.deepEqual(read([{ a: { b: [1] }, c: new Uint8Array(3), d: true, e: "<b>" }]), [['{"b":[1]}', "3 bytes", "true", "<b>"]]);
});

test("columns of dicts are all their keys, own ones only", () => {
  const grid = gridOf([{ b: 1 }, { a: 2, constructor: 3 }, JSON.parse('{"__proto__": 4}')]);
  assert.deepEqual(grid.columns, ["b", "a", "constructor", "__proto__"]);
  assert.deepEqual(grid.rows, [[1, undefined, undefined, undefined], [undefined, 2, 3, undefined], [undefined, undefined, undefined, 4]]);
  assert.equal(grid.page, undefined);
});

test("columns whose types nobody tells are numbers where all in them are", () => {
  assert.deepEqual(gridOf({ columns: ["a", "b", "c"], rows: [[1, 1, null], [null, "x", null]] }).types, ["number", "text", "text"]);
});

test("what is no table is none", () => {
  for (const value of [null, 7, "x", { columns: [] }, { rows: [], columns: "a" }, [1], [[1]], new Uint8Array(2)]) assert.equal(gridOf(value), null);
});
