// A file that is edited: what it held when it was read, what was made of it here, and what somebody else has written.

import { ask } from "./api.js";
import { merge } from "./merge.js";

/** @typedef {import("./editor.js").SyntaxFault} SyntaxFault */
/** A file as it lies on the disk; `etag` is null where it does not. @typedef {{text: string, etag: string | null, syntax?: SyntaxFault | null}} OnDisk */

export class OpenFile {
  text = "";
  /** @type {SyntaxFault | null} */
  fault = null;
  /** What somebody else has written, where it touches the same lines. @type {OnDisk | null} */
  theirs = null;
  /** Where the cursor and the scrollbar were. @type {import("./editor.js").Spot | null} */
  spot = null;
  /** @type {OnDisk} */
  #known = { text: "", etag: null };
  /** @type {Promise<unknown>} */
  #before = Promise.resolve();

  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }

  get isDirty() {
    return this.text !== this.#known.text;
  }

  /** Read it; tells whether something of somebody else's has come into what is edited here. */
  async load() {
    try {
      return this.#take(await ask("GET", this.#address));
    } catch (error) {
      if (/** @type {any} */ (error).status !== 404 || !this.isDirty) throw error;
      return this.#take({ text: "", etag: null });
    }
  }

  /** Write it, after whatever is being written. */
  save() {
    const saving = this.#before.then(async () => {
      const { text } = this;
      const { etag, syntax } = await ask("PUT", this.#address, { text, etag: this.#known.etag });
      this.#known = { text, etag };
      this.fault = syntax;
    });
    this.#before = saving.catch(() => undefined);
    return saving;
  }

  /** Go on with what somebody else has written, or with what was written here, over theirs. @param {boolean} mine */
  settle(mine) {
    if (!this.theirs) return;
    this.#known = this.theirs;
    if (!mine) this.text = this.theirs.text;
    this.theirs = null;
  }

  get #address() {
    return `file?name=${encodeURIComponent(this.name)}`;
  }

  /** @param {OnDisk} file */
  #take(file) {
    if (file.etag === this.#known.etag) return false;
    const wasDirty = this.isDirty;
    const merged = file.etag === null ? null : merge(this.#known.text, this.text, file.text);
    this.theirs = merged === null ? file : null;
    if (merged === null) return true;
    this.text = merged;
    this.#known = file;
    if (!wasDirty) this.fault = file.syntax ?? null;
    return wasDirty;
  }
}
