// What happens, as the gateway tells it: asked for again and again, each question waiting for the next answer.

import { ask } from "./api.js";

/** @typedef {{[name: string]: any}} Entry */

/** Seconds that a question waits, and that pass after one that failed. */
const WAIT = 10;
const PAUSE = 1;

export class Feed {
  /** @type {Map<string, Set<(entry: Entry) => void>>} */
  #listeners = new Map();
  #epoch = "";
  #since = 0;
  #asking = new AbortController();

  /** Hear of one kind of entries. @param {string} kind @param {(entry: Entry) => void} call */
  on(kind, call) {
    this.#listeners.set(kind, (this.#listeners.get(kind) ?? new Set()).add(call));
  }

  async run() {
    let wait = 0;
    for (;;) {
      try {
        const { epoch, entries } = await ask("GET", `feed?epoch=${this.#epoch}&since=${this.#since}&wait=${wait}`, undefined, this.#asking.signal);
        if (epoch !== this.#epoch) this.#since = 0;
        this.#epoch = epoch;
        for (const entry of entries) this.#take(entry);
        wait = WAIT;
      } catch {
        if (this.#asking.signal.aborted) this.#asking = new AbortController();
        else await new Promise((resolve) => setTimeout(resolve, 1000 * PAUSE));
      }
    }
  }

  /** Ask anew, now that there is another session: which entries are its own is told by the token in the question. */
  askAnew() {
    this.#asking.abort();
  }

  /** @param {Entry} entry */
  #take(entry) {
    this.#since = entry.number;
    for (const call of this.#listeners.get(entry.kind) ?? []) {
      try { call(entry); } catch (error) { console.error(error); }
    }
  }
}
