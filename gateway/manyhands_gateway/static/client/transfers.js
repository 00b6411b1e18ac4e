// What goes over HTTP besides the socket: large values, and large payloads. A part.

import { fromJson } from "./codec.js";
import { warn } from "./diagnostics.js";
import { BLOB_KEY, UPLOAD_KEY } from "./wire.js";

/** @typedef {import("./wire.js").Dict} Dict */

const JSON_TYPE = "application/json";
/** Seconds before a request that failed is sent again. */
const AGAIN = 2;
/** Bytes of a file that are sent at once. */
const PART = 1024 * 1024;

export class Transfers {
  /** The session is named by a cookie, which no script can read. */
  #cookie = false;

  /** @param {URL} base what paths are relative to @param {() => string | null} token of the session */
  constructor(base, token) {
    this.base = base;
    this.token = token;
  }

  /**
   * Send a request, again and again while the gateway can't be reached. Raises what the gateway says against it.
   * @param {string} method @param {string} path @param {Blob} [body] @returns {Promise<Response>}
   */
  async request(method, path, body) {
    for (;;) {
      const token = this.#cookie ? null : this.token();
      /** @type {HeadersInit} */
      const headers = token ? { Authorization: `Bearer ${token}` } : {};
      // A browser that can't reach a server raises a TypeError, and nothing else does.
      const answer = await fetch(new URL(path, this.base), { method, body, headers }).catch(() => null);
      // 409 says where an upload really is.
      if (answer?.ok || answer?.status === 409) return answer;
      if (answer?.status === 401 && token) {
        this.#cookie = true;
        continue;
      }
      if (answer && answer.status < 500 && answer.status !== 429) throw new Error(await answer.text());
      await new Promise((resume) => setTimeout(resume, 1000 * AGAIN));
    }
  }

  /**
   * Fetch a large value, bytes unless it comes as JSON; undefined where it is gone.
   * @param {Dict} reference @returns {Promise<unknown>}
   */
  async fetchBlob({ type, ...reference }) {
    try {
      const answer = await this.request("GET", reference[BLOB_KEY]);
      return type === undefined || type === JSON_TYPE ? fromJson(await answer.text()) : new Uint8Array(await answer.arrayBuffer());
    } catch (error) {
      warn("no_blob", reference[BLOB_KEY], `can't be fetched: ${error}`);
    }
  }

  /**
   * Send bytes ahead of the event that they belong to; gives what stands for them.
   * @param {Blob} blob @param {(sent: number) => void} [progress] told how much has been sent, from 0 to 1
   */
  async upload(blob, progress = () => {}) {
    /** @type {(method: string, path: string, body?: Blob) => Promise<Dict>} */
    const ask = async (...request) => (await this.request(...request)).json();
    let { id, offset } = await ask("POST", `upload?size=${blob.size}`);
    while (offset < blob.size) {
      progress(offset / blob.size);
      ({ offset } = await ask("PUT", `upload/${id}?offset=${offset}`, blob.slice(offset, offset + PART)));
    }
    return { [UPLOAD_KEY]: id };
  }
}
