// One copy of a state of the server's: the session's own, or a room's. Plain data, and who wants to know of changes.

import { covers, isDict, put, read } from "./paths.js";
import { BLOB_KEY } from "./wire.js";

/** @typedef {import("./paths.js").Path} Path */
/** @typedef {import("./wire.js").Dict} Dict */
/** @typedef {{call: () => void}} Watcher */
/** @typedef {{watchers: Set<Watcher>, below: Map<string, Node>}} Node */
/** @typedef {{path: Path, later: (() => void)[]}} Waiting */

/** @returns {Node} */
const newNode = () => ({ watchers: new Set(), below: new Map() });

export class Store {
  /** @type {any} */
  #data = {};
  /** Dicts made since somebody has read: they can be changed as they are. */
  #unread = new WeakSet();
  /** The last update applied; null until there is a state. @type {number | null} */
  seq = null;
  #root = newNode();
  /** What the server has where something else is shown. @type {{path: Path, value: any}[]} */
  #shown = [];
  /** Large values on their way. @type {Set<Waiting>} */
  #waiting = new Set();
  #fetch;
  #changed;

  /**
   * @param {(reference: Dict) => Promise<unknown>} fetch gets a large value
   * @param {(watcher: Watcher) => void} changed is told of each watcher whose value may have changed
   */
  constructor(fetch, changed) {
    this.#fetch = fetch;
    this.#changed = changed;
  }

  /** Begin with a whole state. @param {Dict} state @param {number | null} seq */
  replace(state, seq) {
    this.seq = seq;
    this.#assign([], state);
  }

  /** Apply an update; false where it does not follow from what is here. @param {Dict} envelope */
  apply(envelope) {
    const { seq, state } = envelope;
    if (state !== undefined) {
      // Of a room: a whole state for a session that has joined it, null for one that has left.
      this.replace(state ?? {}, state && seq);
      return true;
    }
    if (this.seq === null || seq <= this.seq) return true;
    if (seq !== this.seq + 1) return false;
    this.seq = seq;
    for (const path of envelope.unset ?? []) this.#assign(path, undefined);
    for (const [path, value] of envelope.set ?? []) this.#assign(path, value);
    if ((envelope.add ?? []).every((/** @type {[Path, string]} */ [path, more]) => this.#grow(path, more))) return true;
    // Here is another state than the server's: only a whole one helps.
    this.seq = null;
    return false;
  }

  /** Show a value before the server has it. @param {Path} path @param {unknown} value */
  show(path, value) {
    if (!this.#shown.some((one) => isSame(one.path, path))) this.#shown.push({ path, value: this.read(path) });
    this.#write(path, value);
  }

  /** All of it, as it stays: what changes it makes another one. */
  get data() {
    this.#unread = new WeakSet();
    return this.#data;
  }

  /** @param {Path} path */
  read(path) {
    return read(this.data, path);
  }

  /** Call something whenever what is at, below or above a path may have changed. @param {Path} path @param {Watcher} watcher */
  watch(path, watcher) {
    let node = this.#root;
    /** @type {[Node, string][]} */
    const way = [];
    for (const key of path) {
      way.push([node, key]);
      let next = node.below.get(key);
      if (!next) node.below.set(key, (next = newNode()));
      node = next;
    }
    node.watchers.add(watcher);
    return () => {
      node.watchers.delete(watcher);
      for (const [above, key] of way.reverse()) {
        const one = above.below.get(key);
        if (one && !one.watchers.size && !one.below.size) above.below.delete(key);
      }
    };
  }

  /** Take what was added to a text; false where there is none. @param {Path} path @param {string} more @returns {boolean} */
  #grow(path, more) {
    const { value } = this.#shown.find((one) => isSame(one.path, path)) ?? { value: read(this.#data, path) };
    if (typeof value !== "string" || [...this.#waiting].some((one) => covers(one.path, path))) return false;
    this.#assign(path, value + more);
    return true;
  }

  /** Take an assignment; undefined removes. @param {Path} path @param {unknown} value */
  #assign(path, value) {
    this.#shown = this.#shown.filter((one) => !covers(path, one.path));
    for (const one of this.#waiting) {
      if (covers(path, one.path)) this.#waiting.delete(one); // the newer assignment wins
      else if (covers(one.path, path)) return void one.later.push(() => this.#assign(path, value));
    }
    /** @type {[Path, Dict][]} */
    const references = [];
    const ready = this.#withoutReferences(value, path, references);
    if (!references.some(([at]) => at.length === path.length)) this.#write(path, ready);
    for (const [at, reference] of references) this.#await(at, reference);
  }

  /**
   * Give a value with what is shown already in place of what is still to be fetched.
   * @param {unknown} value @param {Path} path @param {[Path, any][]} references are added to
   * @returns {unknown}
   */
  #withoutReferences(value, path, references) {
    if (!hasReference(value)) return value;
    if (!isDict(value) || BLOB_KEY in value) {
      references.push([path, value]);
      return this.read(path);
    }
    /** @type {Dict} */
    const ready = {};
    for (const [key, item] of Object.entries(value)) {
      const shown = this.#withoutReferences(item, [...path, key], references);
      if (shown !== undefined) put(ready, key, shown);
    }
    return ready;
  }

  /** @param {Path} path @param {unknown} value */
  async #await(path, value) {
    /** @type {Waiting} */
    const waiting = { path, later: [] };
    this.#waiting.add(waiting);
    const fetched = await this.#fetchAll(value);
    if (!this.#waiting.delete(waiting)) return;
    if (fetched !== undefined) this.#write(path, fetched);
    for (const assign of waiting.later) assign();
  }

  /** Fetch all references in a value. @param {any} value @returns {Promise<any>} */
  async #fetchAll(value) {
    if (!hasReference(value)) return value;
    if (Array.isArray(value)) return Promise.all(value.map((item) => this.#fetchAll(item)));
    if (BLOB_KEY in value) return this.#fetch(value);
    const items = Object.entries(value).map(async ([key, item]) => [key, await this.#fetchAll(item)]);
    return Object.fromEntries(await Promise.all(items));
  }

  /** @param {Path} path @param {unknown} value */
  #write(path, value) {
    if (value !== undefined || read(this.#data, path) !== undefined) this.#data = this.#with(this.#data, path, value) ?? {};
    this.#touch(path);
  }

  /**
   * Give data with a value at a path of it. All dicts along the path are new ones, so that who holds the old data sees
   * no change in it; what lies beside the path stays the same.
   * @param {any} data @param {Path} path @param {unknown} value
   */
  #with(data, [key, ...rest], value) {
    if (key === undefined) return value;
    const copy = this.#unread.has(data) ? data : Array.isArray(data) ? [...data] : { ...(isDict(data) && data) };
    this.#unread.add(copy);
    const below = this.#with(read(data, [key]), rest, value);
    if (below === undefined) delete copy[key];
    else put(copy, key, below);
    return copy;
  }

  /** Tell all who watch a path at, above or below this one. @param {Path} path */
  #touch(path) {
    let node = this.#root;
    for (const key of path) {
      node.watchers.forEach(this.#changed);
      const next = node.below.get(key);
      if (!next) return;
      node = next;
    }
    this.#touchBelow(node);
  }

  /** @param {Node} node */
  #touchBelow(node) {
    node.watchers.forEach(this.#changed);
    for (const below of node.below.values()) this.#touchBelow(below);
  }
}

/** @param {Path} one @param {Path} other */
const isSame = (one, other) => covers(one, other) && covers(other, one);

/** @param {unknown} value @returns {boolean} */
function hasReference(value) {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  if (Array.isArray(value)) return value.some(hasReference);
  return typeof (/** @type {Dict} */ (value)[BLOB_KEY]) === "string" || Object.values(value).some(hasReference);
}
