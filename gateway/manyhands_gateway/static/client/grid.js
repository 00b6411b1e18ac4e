// Tables as the client draws them: of what `mh.table_page` gives, of whole tables and lists of dicts, and the text of each cell.

import { isDict, read } from "./paths.js";

/**
 * A table, or a page of one: the names of its columns, their types and how many characters or decimals of each value are
 * shown, its rows, how many rows there are in all, and where it is a page, which one and how it is sorted.
 * @typedef {{columns: string[], types: string[], shown: number[], rows: any[][], length: number, page?: number, pages: number, size: number, sort: string | null, descending: boolean}} Grid
 */

/** What stands where there is no value. */
const NOTHING = "\u2013";
/** A moment as ISO 8601 writes it: the day and the time, and its zone. */
const MOMENT = /^(\d{4}-\d\d-\d\dT[\d:]{8})[.\d]*(Z|[+-][\d:]+)?$/;
/** How much of the moments of a column is shown, where all of them end like this: days, days and minutes. @type {[RegExp, number][]} */
const ROUND = [[/T00:00:00$/, 10], [/:00$/, 16], [/$/, 19]];
/** Digits that a number is shown with: the last ones of a float are noise. */
const DIGITS = 12;
/** Decimals up to which all numbers of a column have as many. */
const DECIMALS = 6;

/** Give the table that a value is; null for what is none. @param {any} value @returns {Grid | null} */
export function gridOf(value) {
  if (Array.isArray(value) && value.every(isDict)) {
    const columns = [...new Set(value.flatMap(Object.keys))];
    value = { columns, rows: value.map((row) => columns.map((name) => read(row, [name]))) };
  }
  if (!isDict(value) || !Array.isArray(value.columns) || !Array.isArray(value.rows)) return null;
  const { columns, rows, length = rows.length, pages = 1, size = rows.length, sort = null, descending = false } = value;
  const held = columns.map((/** @type {string} */ _, /** @type {number} */ i) => rows.map((row) => row[i]).filter((one) => !isNothing(one)));
  const types = held.map((/** @type {any[]} */ values, /** @type {number} */ i) => value.types?.[i] ?? typeOf(values));
  const shown = held.map((/** @type {any[]} */ values, /** @type {number} */ i) => shownOf(values, types[i]));
  return { columns, types, shown, rows, length, page: value.page, pages, size, sort, descending };
}

/** Tell a column's type by what it holds. @param {any[]} held */
function typeOf(held) {
  if (!held.length) return "text";
  if (held.every((one) => typeof one === "number")) return "number";
  return held.every((one) => MOMENT.test(one)) ? "date" : "text";
}

/** Tell how many characters of the moments, or decimals of the numbers, of a column are shown. @param {any[]} held @param {string} type */
function shownOf(held, type) {
  if (type === "date") {
    const moments = held.map((one) => MOMENT.exec(one)?.[1] ?? "");
    return /** @type {[RegExp, number]} */ (ROUND.find(([end]) => moments.every((one) => end.test(one))))[1];
  }
  return Math.max(0, ...held.map((one) => /\.(\d+)$/.exec(plain(one))?.[1].length ?? 0));
}

/** Give a number without the noise of floats. @param {any} value */
const plain = (value) => (typeof value === "number" ? String(Number(value.toPrecision(DIGITS))) : "");

/** Tell whether a value is missing: None, NaN, NaT. @param {any} value */
export const isNothing = (value) => value === null || value === undefined || Number.isNaN(value);

/** Give the text of a cell. @param {any} value @param {string} type of its column @param {number} shown how much of it */
export function cellText(value, type, shown) {
  if (isNothing(value)) return NOTHING;
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return value < 0 ? "-\u221e" : "\u221e";
    const text = plain(value);
    return shown > DECIMALS || text.includes("e") ? text : value.toFixed(shown);
  }
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (typeof value === "object") return JSON.stringify(value);
  const moment = type === "date" && MOMENT.exec(value);
  if (!moment) return String(value);
  const [, at, zone = ""] = moment;
  return at.slice(0, shown).replace("T", " ") + (shown > 10 ? zone : "");
}
