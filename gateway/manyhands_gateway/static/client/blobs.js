// Large values, which come over HTTP.

import { fromJson } from "./codec.js";
import { warn } from "./diagnostics.js";
import { BLOB_KEY } from "./wire.js";

/** @typedef {import("./wire.js").Dict} Dict */

/** Fetch a large value; undefined where it is gone. @param {Dict} reference @param {import("./http.js").Http} http @returns {Promise<unknown>} */
export async function fetchBlob(reference, http) {
  try {
    return fromJson(await (await http.request("GET", reference[BLOB_KEY])).text());
  } catch (error) {
    warn("no_blob", reference[BLOB_KEY], `can't be fetched: ${error}`);
  }
}
