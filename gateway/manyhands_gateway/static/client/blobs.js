// Large values, which come over HTTP.

import { fromJson } from "./codec.js";
import { unpack } from "./msgpack.js";
import { warn } from "./diagnostics.js";
import { BLOB_KEY } from "./wire.js";

/** Seconds before a fetch that failed is tried again. */
const REFETCH = 3;

/** @typedef {import("./wire.js").Dict} Dict */

/** Fetch a large value; undefined where it is gone. @param {Dict} reference @param {URL} base @returns {Promise<unknown>} */
export async function fetchBlob(reference, base) {
  const url = new URL(reference[BLOB_KEY], base);
  for (;;) {
    try {
      const response = await fetch(url, { credentials: "same-origin" });
      if (response.ok) return await bodyOf(response, reference.type ?? response.headers.get("Content-Type") ?? "");
      if (response.status < 500 && response.status !== 429) {
        return warn("no_blob", url.pathname, `can't be fetched: ${response.status} ${response.statusText}`);
      }
    } catch (error) {
      if (error instanceof SyntaxError) return warn("no_blob", url.pathname, `can't be read: ${error}`);
    }
    await new Promise((resume) => setTimeout(resume, 1000 * REFETCH));
  }
}

/** @param {Response} response @param {string} type */
async function bodyOf(response, type) {
  if (type.includes("json")) return fromJson(await response.text());
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (type.includes("msgpack")) return unpack(bytes);
  return type.startsWith("text/") ? new TextDecoder().decode(bytes) : bytes;
}
