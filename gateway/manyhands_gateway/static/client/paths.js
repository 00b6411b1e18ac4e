// Paths into plain data: lists of keys. In HTML they are written with dots; a dot inside a key as \. there.

/** @typedef {string[]} Path */
/** @typedef {import("./wire.js").Dict} Dict */

/** @param {string | Path} path @returns {Path} */
export function parsePath(path) {
  if (typeof path !== "string") return path;
  return path === "" ? [] : path.split(/(?<!\\)\./).map((key) => key.replace(/\\(.)/g, "$1"));
}

/** @param {unknown} value @returns {value is Dict} */
export const isDict = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

/** Read a path; own keys only, so that `constructor` is a key like any other. @param {any} data @param {Path} path */
export function read(data, path) {
  for (const key of path) {
    if (typeof data !== "object" || data === null || !Object.hasOwn(data, key)) return undefined;
    data = data[key];
  }
  return data;
}

/** Set a key, `__proto__` as any other. @param {Dict} dict @param {string} key @param {unknown} value */
export function put(dict, key, value) {
  if (key !== "__proto__") dict[key] = value;
  else Object.defineProperty(dict, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Tell whether a path is another one or lies above it. @param {Path} above @param {Path} path */
export const covers = (above, path) => above.length <= path.length && above.every((key, i) => key === path[i]);
