// Tables as the client draws them: of what `mh.table_page` gives, of whole tables and lists of dicts, and the text of each cell.

import { isDict, read } from "./paths.js";

/**
 * A table, or a page of one: the names and types of its columns, its rows, how many rows there are in all, and where it is
 * a page, which one and how it is sorted.
 * @typedef {{columns: string[], types: string[], rows: any[][], length: number, page?: number, pages: number, size: number, sort: string | null, descending: boolean}} Grid
 */

/** What stands where there is no value. */
const NOTHING = "\u2013";
/** A moment as ISO 8601 writes it: the day, the time, its seconds, what comes after them. */
const MOMENT = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)?(?:\.\d+)?(Z|[+-]\d\d:\d\d)?$/;
const MIDNIGHT = /T00:00(:00(\.0+)?)?(Z|[+-]\d\d:\d\d)?$/;
/** Digits that a number is shown with: the last ones of a float are noise. */
const DIGITS = 12;

/** Give the table that a value is; null for what is none. @param {any} value @returns {Grid | null} */
export function gridOf(value) {
  if (Array.isArray(value) && value.every(isDict)) {
    const columns = [...new Set(value.flatMap(Object.keys))];
    value = { columns, rows: value.map((row) => columns.map((name) => read(row, [name]))) };
  }
  if (!isDict(value) || !Array.isArray(value.columns) || !Array.isArray(value.rows)) return null;
  const { columns, rows, length = rows.length, pages = 1, size = rows.length, sort = null, descending = false } = value;
  const types = columns.map((/** @type {string} */ _, /** @type {number} */ i) => typeOf(value.types?.[i], rows, i));
  return { columns, types, rows, length, page: value.page, pages, size, sort, descending };
}

/** Give a column's type, which the rows tell where nobody else does. @param {string | undefined} type @param {any[][]} rows @param {number} i */
function typeOf(type, rows, i) {
  const held = rows.map((row) => row[i]).filter((one) => !isNothing(one));
  if (held.length && (type ?? "date") === "date" && held.every((one) => MOMENT.test(one))) {
    return held.every((one) => MIDNIGHT.test(one)) ? "day" : "date";
  }
  return type ?? (held.length && held.every((one) => typeof one === "number") ? "number" : "text");
}

/** Tell whether a value is missing: None, NaN, NaT. @param {any} value */
export const isNothing = (value) => value === null || value === undefined || Number.isNaN(value);

/** Give the text of a cell. @param {any} value @param {string} type of its column */
export function cellText(value, type) {
  if (isNothing(value)) return NOTHING;
  if (typeof value === "number") return Number.isFinite(value) ? String(Number(value.toPrecision(DIGITS))) : value < 0 ? "-\u221e" : "\u221e";
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (typeof value === "object") return JSON.stringify(value);
  const moment = (type === "date" || type === "day") && MOMENT.exec(value);
  if (!moment) return String(value);
  const [, day, time, seconds = "", zone = ""] = moment;
  return type === "day" ? day : `${day} ${time}${seconds === ":00" ? "" : seconds}${zone}`;
}
