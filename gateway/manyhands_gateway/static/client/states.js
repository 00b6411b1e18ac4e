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
    /** Has each room's name as a key. None of the server's: it has no `seq`. */
    this.names = make();
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
    this.list();
  }

  /** Tell those who watch which rooms there are. */
  list() {
    this.names.replace(this.seqs ?? {}, null);
  }

  forget() {
    this.own.replace({}, null);
    this.joined({});
  }

  /**
   * Give the store that a path is in, and the path in it: `@name` begins one in a room, and so does `@` with the name
   * as its next key; alone it is all rooms.
   * @param {string | string[]} path @returns {[Store, string[]]}
   */
  find(path) {
    const keys = parsePath(path);
    const [first, ...rest] = keys;
    if (first === "@") return rest.length ? [this.room(rest[0]), rest.slice(1)] : [this.names, rest];
    return first?.startsWith("@") ? [this.room(first.slice(1)), rest] : [this.own, keys];
  }
}
