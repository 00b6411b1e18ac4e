// A client: one session's state, and events to its handlers, over whatever socket there is.

import { BASE } from "./base.js";
import { CODECS } from "./codec.js";
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { Firing } from "./fired.js";
import { perFrame } from "./frames.js";
import { Outbox } from "./outbox.js";
import { safely } from "./diagnostics.js";
import { States } from "./states.js";
import { clientId, keepToken, uniqueName } from "./storage.js";
import { Store } from "./store.js";

/** @typedef {import("./wire.js").Dict} Dict */
/** @typedef {import("./outbox.js").Entry} Entry */
/** @typedef {import("./fired.js").Fired} Fired */
/**
 * `session`: `shared` by all tabs of the origin, of this `tab` alone, or the token of a session. `lifetime`: seconds
 * after which an event that could not be sent is dropped.
 * @typedef {{url?: string, session?: string, protocol?: string, lifetime?: number}} Options
 */
/** @typedef {{lifetime?: number, traceparent?: string, element?: Element}} More */

export class Client {
  /** @type {import("./connection.js").Status} */
  status = "connecting";
  /** Why it is closed; empty unless it is. */
  reason = "";
  /** @type {Map<string, Set<(...about: any[]) => void>>} */
  #listeners = new Map();
  #states;
  #talk;
  #outbox;
  #transfers;

  /** @param {Options} [options] */
  constructor({ url, session = "shared", protocol = "json", lifetime } = {}) {
    if (!Object.hasOwn(CODECS, protocol)) throw new TypeError(`protocol is json or msgpack, got ${protocol}`);
    const address = addressOf(url);
    const prefix = url ? `manyhands:${address.host}${address.pathname}` : "manyhands";
    const name = uniqueName(prefix);
    const id = clientId(`${name}.client`);
    const token = keepToken(session, prefix, name);
    /** @type {Promise<import("./transfers.js").Transfers> | undefined} */
    let transfers;
    this.#transfers = () =>
      (transfers ??= import("./transfers.js").then((part) => new part.Transfers(new URL(address.href.replace(/^ws/, "http")), token.get)));
    /** Calls something in the next frame, together with what has changed. */
    this.soon = perFrame();
    this.lifetime = lifetime;
    this.#states = new States(() => new Store(async (reference) => (await this.#transfers()).fetchBlob(reference), this.soon));
    this.#outbox = new Outbox(`${name}.outbox`, id);
    this.#talk = new Conversation(id, this.#states, this.#outbox, token, this.#say, (talk) => new Connection(address, talk));
    this.on("status", (status, reason = "") => Object.assign(this, { status, reason }));
    addEventListener("pagehide", () => {
      this.#say("leaving");
      this.#talk.save();
    });
    addEventListener("storage", () => this.#talk.follow());
    document.addEventListener("visibilitychange", () => document.hidden || this.#talk.probe());
    this.#talk.connection.begin(CODECS[protocol]());
  }

  /** The session's state: plain data. */
  get state() {
    return this.#states.own.data;
  }

  /** The states of the rooms that the session is in, by their names. */
  get shared() {
    return this.#states.shared;
  }

  /** How many events were not accepted yet. */
  get unsent() {
    return this.#outbox.entries.length;
  }

  /**
   * Ask for a handler to be run; it is, once, also when the connection breaks meanwhile.
   * @param {string} handler @param {any} [payload] @param {object} [context] @param {More} [more]
   * @returns {Fired}
   */
  fire(handler, payload = null, context = {}, { lifetime = this.lifetime, traceparent, element } = {}) {
    const firing = new Firing((one) => this.#talk.cancel(one), element);
    const closed = this.#talk.connection.closed;
    if (closed || this.#outbox.isFull) this.#talk.drop(handler, firing, closed ? "closed" : "outbox_full", "not connected");
    else {
      const until = lifetime ? Date.now() + 1000 * lifetime : undefined;
      this.#talk.post({ n: null, handler, payload, context, traceparent, until, firing });
    }
    return firing.fired;
  }

  /** Give an event that was fired and not sent yet another payload; false where it was sent. @param {Fired} fired @param {any} payload */
  amend(fired, payload) {
    const entry = this.#outbox.entries.find((one) => one.firing?.fired === fired && one.n === null);
    if (!entry) return false;
    entry.payload = payload;
    this.#talk.save();
    return true;
  }

  /** Ask for an event's end: what `fire` gave, or its number. @param {number | Fired} event */
  cancel(event) {
    if (typeof event === "number") this.#talk.cancelNumber(event);
    else event.cancel();
  }

  /**
   * Call something with what is at a path whenever that changes, at most once a frame; gives what ends it. `@name.`
   * begins a path in a room.
   * @param {string | string[]} path @param {(value: any) => void} call
   */
  subscribe(path, call) {
    return this.watch(path, { call: () => call(this.read(path)) });
  }

  /** @param {string | string[]} path @param {{call: () => void}} watcher */
  watch(path, watcher) {
    const [store, keys] = this.#states.find(path);
    return store.watch(keys, watcher);
  }

  /**
   * Give what is at a path. It is the same object until something in it has changed, and then another one.
   * @param {string | string[]} path
   */
  read(path) {
    const [store, keys] = this.#states.find(path);
    return store.read(keys);
  }

  /** Show a value before the server has it. @param {string[]} path @param {unknown} value */
  show(path, value) {
    const [store, keys] = this.#states.find(path);
    store.show(keys, value);
  }

  /**
   * Listen: to `status`, to `log` (while developing), to `welcome`, `unsent` and `leaving`. Gives what ends it.
   * @param {string} what @param {(...about: any[]) => void} call
   */
  on(what, call) {
    const calls = this.#listeners.get(what) ?? new Set();
    this.#listeners.set(what, calls.add(call));
    return () => void calls.delete(call);
  }

  /**
   * Listen to one type of mail, what handlers ask of the page. The second argument tells whether this tab fired the
   * event that it came with.
   * @param {string} type @param {(mail: Dict, own: boolean) => void} call
   */
  onMail(type, call) {
    return this.on(`mail:${type}`, call);
  }

  /**
   * Send large bytes ahead of the event that they belong to; gives what stands for them in its payload.
   * @param {Blob} blob @param {(sent: number) => void} [progress]
   */
  async upload(blob, progress) {
    return (await this.#transfers()).upload(blob, progress);
  }

  /**
   * Ask the gateway over HTTP, in the name of the session, until it answers. Raises what it says against it.
   * @param {string} method @param {string} path relative to `/_mh/` @param {Blob} [body] @returns {Promise<Response>}
   */
  async request(method, path, body) {
    return (await this.#transfers()).request(method, path, body);
  }

  /** Leave, and come back no more. */
  close() {
    this.#talk.connection.close();
    this.#talk.fail("");
  }

  /** @type {import("./conversation.js").Say} */
  #say = (what, ...about) => {
    const calls = [...(this.#listeners.get(what) ?? [])];
    for (const call of calls) safely(call, ...about);
    return calls.length > 0;
  };
}

/** Give the address of a gateway's socket. @param {string | undefined} url the gateway's; else the one that this file came from */
function addressOf(url) {
  const address = new URL(url ?? "ws", url ? location.href : BASE);
  if (!address.pathname.endsWith("/_mh/ws")) address.pathname = address.pathname.replace(/\/?$/, "/_mh/ws");
  address.protocol = address.protocol.replace("http", "ws");
  return address;
}
