// Events that were fired and not accepted yet, oldest first. They survive a reload, and go to one session only.

import { fromJson, toJson } from "./codec.js";
import { ofTab } from "./storage.js";

/** @typedef {import("./fired.js").Firing} Firing */
/**
 * `n` is null until the event is first sent; `until` is when it is of no use any more, in milliseconds since 1970.
 * @typedef {{n: number | null, handler: string, payload: any, context: object, traceparent?: string,
 *   until?: number, firing?: Firing}} Entry
 */

/** Events kept. Beyond it the newest is refused: the page is offline, and says so. */
const LIMIT = 256;
/** Characters that are stored; what goes beyond is kept in memory, and lost in a reload. Browsers store some 5 MB. */
const STORED = 2_000_000;

export class Outbox {
  /** @type {Entry[]} */
  entries = [];
  #stored = false;

  /** @param {string} key where it is stored @param {string} client whose events they are */
  constructor(key, client) {
    this.key = key;
    this.client = client;
  }

  get isFull() {
    return this.entries.length >= LIMIT;
  }

  /** Take out what a condition is true of, and give it. @param {(entry: Entry) => boolean} condition */
  take(condition) {
    const taken = this.entries.filter(condition);
    if (taken.length) {
      this.entries = this.entries.filter((entry) => !taken.includes(entry));
      if (this.#stored) this.save(null);
    }
    return taken;
  }

  /** Give the envelope's fields of an event. @param {Entry} entry */
  static fields({ n, handler, payload, context, traceparent }) {
    return { n, handler, payload, context, ...(traceparent && { traceparent }) };
  }

  /** The largest event that was sent, and its bytes; the first of several. */
  get largest() {
    /** @type {(entry: Entry) => {entry: Entry, size: number}} */
    const sized = (entry) => ({ entry, size: new Blob([toJson(Outbox.fields(entry))]).size });
    const [largest] = this.entries.filter(({ n }) => n !== null).map(sized).sort((a, b) => b.size - a.size);
    return largest ?? {};
  }

  /** Store all, with the session that the sent ones belong to; null leaves that as it is. @param {string | null} session */
  save(session) {
    if (session !== null) this.session = session;
    let room = STORED;
    const kept = this.entries.map(stored).filter((text) => text && (room -= text.length) >= 0);
    this.#stored = kept.length > 0;
    const text = `{"client":${toJson(this.client)},"session":${toJson(this.session ?? null)},"entries":[${kept}]}`;
    ofTab.set(this.key, this.#stored ? text : null);
  }

  /** Take up what this tab has stored before it was reloaded; gives the session that the sent ones belong to. */
  restore() {
    try {
      const found = fromJson(ofTab.get(this.key) ?? "null");
      if (found?.client !== this.client) return ofTab.set(this.key, null) ?? null;
      this.entries = found.entries;
      this.#stored = true;
      return (this.session = /** @type {string | null} */ (found.session));
    } catch {
      return null;
    }
  }
}

/** Give an event as it is stored; nothing for one that can't be, of which its sending will tell. @param {Entry} entry */
function stored({ firing, ...entry }) {
  try { return toJson(entry); } catch { return ""; }
}
