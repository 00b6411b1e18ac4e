// msgpack, as far as browsers get it: nil, booleans, numbers, text, bytes, lists and maps with text as keys.

import { put } from "./paths.js";

/** @typedef {import("./wire.js").Dict} Dict */

const SHORT = 24;
const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const toUtf8 = new TextEncoder();

/** @param {Uint8Array} bytes @returns {any} */
export function unpack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;

  /** Move on, and give where that was. @param {number} size */
  const skip = (size) => (at += size) - size;

  /** Read a length of 1, 2 or 4 bytes. @param {number} kind 0, 1 or 2 */
  const length = (kind) =>
    kind === 0 ? view.getUint8(skip(1)) : kind === 1 ? view.getUint16(skip(2)) : view.getUint32(skip(4));

  /** @param {number} size */
  function text(size) {
    const from = skip(size);
    if (size > SHORT) return fromUtf8.decode(bytes.subarray(from, at));
    let made = "";
    for (let i = from; i < at; i++) {
      if (bytes[i] > 127) return fromUtf8.decode(bytes.subarray(from, at));
      made += String.fromCharCode(bytes[i]);
    }
    return made;
  }

  /** @param {number} size */
  function binary(size) {
    const from = skip(size);
    if (at > bytes.length) throw new RangeError("msgpack: the frame ends within bytes");
    return bytes.slice(from, at);
  }

  /** @param {number} size */
  function list(size) {
    const made = [];
    while (size--) made.push(next());
    return made;
  }

  /** @param {number} size */
  function map(size) {
    /** @type {Dict} */
    const made = {};
    while (size--) put(made, next(), next());
    return made;
  }

  /** @returns {any} */
  function next() {
    const head = view.getUint8(skip(1));
    if (head < 0x80) return head;
    if (head < 0x90) return map(head & 15);
    if (head < 0xa0) return list(head & 15);
    if (head < 0xc0) return text(head & 31);
    if (head >= 0xe0) return head - 256;
    switch (head) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return binary(length(head - 0xc4));
      case 0xca: return view.getFloat32(skip(4));
      case 0xcb: return view.getFloat64(skip(8));
      case 0xcc: case 0xcd: case 0xce: return length(head - 0xcc);
      case 0xcf: return Number(view.getBigUint64(skip(8)));
      case 0xd0: return view.getInt8(skip(1));
      case 0xd1: return view.getInt16(skip(2));
      case 0xd2: return view.getInt32(skip(4));
      case 0xd3: return Number(view.getBigInt64(skip(8)));
      case 0xd9: case 0xda: case 0xdb: return text(length(head - 0xd9));
      case 0xdc: case 0xdd: return list(length(head - 0xdb));
      case 0xde: case 0xdf: return map(length(head - 0xdd));
    }
    throw new TypeError(`msgpack: a browser gets nothing that begins with byte ${head}`);
  }

  const value = next();
  if (at !== bytes.length) throw new RangeError("msgpack: more bytes follow a value");
  return value;
}

/** @param {unknown} value @returns {Uint8Array<ArrayBuffer>} */
export function pack(value) {
  let made = new Uint8Array(256);
  let view = new DataView(made.buffer);
  let at = 0;

  /** Make room, and give where it is. @param {number} size */
  function room(size) {
    if (at + size > made.length) {
      const larger = new Uint8Array(Math.max(2 * made.length, at + size));
      larger.set(made.subarray(0, at));
      [made, view] = [larger, new DataView(larger.buffer)];
    }
    return (at += size) - size;
  }

  /** @param {ArrayLike<number>} more */
  function append(more) {
    const from = room(more.length); // which may move what is made
    made.set(more, from);
  }

  /** @param {number[]} more */
  const bytes = (...more) => append(more);

  /** A head with a length of 2 or 4 bytes, whose codes follow one another. @param {number} code @param {number} size */
  function head(code, size) {
    if (size < 0x10000) bytes(code, size >> 8, size & 255);
    else bytes(code + 1, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255);
  }

  /** @param {number} number */
  function writeNumber(number) {
    if (Number.isInteger(number) && number >= -32 && number < 128 && !Object.is(number, -0)) return bytes(number & 255);
    if (!Number.isSafeInteger(number) || Object.is(number, -0)) {
      const from = room(9);
      made[from] = 0xcb;
      return view.setFloat64(from + 1, number);
    }
    const from = room(9);
    made[from] = 0xd3;
    view.setBigInt64(from + 1, BigInt(number));
  }

  /** @param {string} text */
  function writeText(text) {
    const encoded = toUtf8.encode(text);
    if (encoded.length < 32) bytes(0xa0 | encoded.length);
    else head(0xda, encoded.length);
    append(encoded);
  }

  /** @param {any} value */
  function write(value) {
    if (value === null || value === undefined || typeof value === "function") return bytes(0xc0);
    if (typeof value === "boolean") return bytes(value ? 0xc3 : 0xc2);
    if (typeof value === "number") return writeNumber(value);
    if (typeof value === "string") return writeText(value);
    if (value instanceof Uint8Array) {
      head(0xc5, value.length);
      return append(value);
    }
    if (Array.isArray(value)) {
      head(0xdc, value.length);
      return value.forEach(write);
    }
    const items = Object.entries(value).filter(([, item]) => item !== undefined);
    head(0xde, items.length);
    for (const [key, item] of items) writeText(key), write(item);
  }

  write(value);
  return made.slice(0, at);
}
