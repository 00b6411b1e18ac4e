// Envelopes to frames and back, in both subprotocols.

import { isDict } from "./paths.js";
import { BYTES_KEY, SUBPROTOCOLS } from "./wire.js";

/** @typedef {{name: string, encode: (envelope: object) => string | Uint8Array<ArrayBuffer>, decode: (frame: any) => any}} Codec */

/** Bytes that become text at once: more arguments overflow the stack. */
const CHUNK = 0x8000;

/** @param {Uint8Array} bytes */
function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(text);
}

/** @param {string} base64 */
function fromBase64(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** @param {unknown} value */
export const toJson = (value) =>
  JSON.stringify(value, (_, item) => (item instanceof Uint8Array ? { [BYTES_KEY]: toBase64(item) } : item));

/** @param {string} text */
export function fromJson(text) {
  // A reviver makes the reading ten times as slow.
  if (!text.includes(`"${BYTES_KEY}"`)) return JSON.parse(text);
  return JSON.parse(text, (_, item) =>
    isDict(item) && typeof item[BYTES_KEY] === "string" && Object.keys(item).length === 1
      ? fromBase64(item[BYTES_KEY])
      : item);
}

/** @type {{[protocol: string]: () => Promise<Codec>}} */
export const CODECS = {
  json: async () => ({ name: SUBPROTOCOLS.json, encode: toJson, decode: fromJson }),
  async msgpack() {
    const { pack, unpack } = await import("./msgpack.js");
    return { name: SUBPROTOCOLS.msgpack, encode: pack, decode: (frame) => unpack(new Uint8Array(frame)) };
  },
};
