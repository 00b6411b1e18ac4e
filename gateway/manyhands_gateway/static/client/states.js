// The states that a page sees: its session's own, and those of the rooms that the session is in.

import { parsePath } from "./paths.js";
import { Store } from "./store.js";

/** @typedef {import("./wire.js").Dict} Dict */
/** @typedef {import("./store.js").Watcher} Watcher */

export class States {
  /** @type {Map<string, Store>} */
  #rooms = new Map();
  /** The states of the rooms, by their names. @type {Dict} */
  shared = {};

  /** @param {() => Store} make */
  constructor(make) {
    this.make = make;
    this.own = make();
  }

  /** @param {string} name */
  room(name) {
    const known = this.#rooms.get(name);
    if (known) return known;
    const store = this.make();
    this.#rooms.set(name, store);
    Object.defineProperty(this.shared, name, { get: () => (store.seq === null ? undefined : store.data), enumerable: true });
    return store;
  }

  /** Give the last update seen of each room; undefined where there is none. */
  get seqs() {
    const seen = [...this.#rooms].filter(([, room]) => room.seq !== null).map(([name, room]) => [name, room.seq]);
    return seen.length ? Object.fromEntries(seen) : undefined;
  }

  /** Take the rooms that the session is in; of one without a state, the missed updates follow. @param {Dict} rooms */
  joined(rooms) {
    for (const [name, store] of this.#rooms) if (!Object.hasOwn(rooms, name)) store.replace({}, null);
    for (const [name, { seq, state }] of Object.entries(rooms)) if (state) this.room(name).replace(state, seq);
  }

  forget() {
    this.own.replace({}, null);
    this.joined({});
  }

  /**
   * Give the store that a path is in, and the path in it: `@name` begins one in a room.
   * @param {string | string[]} path @returns {[Store, string[]]}
   */
  find(path) {
    const keys = parsePath(path);
    return keys[0]?.startsWith("@") ? [this.room(keys[0].slice(1)), keys.slice(1)] : [this.own, keys];
  }
}
