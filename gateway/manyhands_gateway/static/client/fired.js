// What `fire` gives: a promise of the event's end, which tells on the way what becomes of it.

import { safely } from "./diagnostics.js";

/** @typedef {import("./wire.js").Failing} Failing */
/**
 * How an event has ended. `ok` is null where nobody can tell: its session is gone, or its end was too long ago.
 * @typedef {{n: number | null, ok: boolean | null, result: any, error: Failing | null}} End
 */
/** @typedef {"accepted" | "partial" | "failed"} Stage */
/**
 * Told of `accepted` (with the event's number), `partial` (with the update) and `failed` (with the error).
 * @typedef {{on: (stage: Stage, call: (about: any) => void) => Fired, cancel: () => void, readonly n: number | null}} Ways
 */
/** @typedef {Promise<End> & Ways} Fired */

export class Firing {
  /** @type {Map<Stage, ((about: any) => void)[]>} */
  #calls = new Map();
  /** What was told already, for who asks later. @type {Map<Stage, any>} */
  #told = new Map();
  /** @type {(end: End) => void} */
  #resolve = () => {};
  /** The event's number; null until it was first sent. @type {number | null} */
  n = null;
  ended = false;

  /** @param {(firing: Firing) => void} cancel @param {Element} [element] where it was fired */
  constructor(cancel, element) {
    this.element = element;
    /** @type {Promise<End>} */
    const promise = new Promise((resolve) => (this.#resolve = resolve));
    /** @type {Ways} */
    const ways = {
      on: (stage, call) => {
        this.#calls.set(stage, [...(this.#calls.get(stage) ?? []), call]);
        if (this.#told.has(stage)) queueMicrotask(() => call(this.#told.get(stage)));
        return this.fired;
      },
      cancel: () => cancel(this),
      n: null,
    };
    /** @type {Fired} */
    this.fired = Object.defineProperty(Object.assign(promise, ways), "n", { get: () => this.n });
  }

  /** @param {Stage} stage @param {any} about */
  tell(stage, about) {
    if (stage === "accepted" && this.#told.has(stage)) return;
    if (stage !== "partial") this.#told.set(stage, about);
    for (const call of this.#calls.get(stage) ?? []) safely(call, about);
  }

  /** @param {boolean | null} ok @param {Failing | null} [error] @param {any} [result] */
  end(ok, error = null, result = null) {
    this.ended = true;
    if (error) this.tell("failed", error);
    this.#resolve({ n: this.n, ok, result, error });
  }
}
