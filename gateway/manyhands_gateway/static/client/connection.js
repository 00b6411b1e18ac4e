// One socket after another: opens, reconnects with growing pauses, and says why it no longer does.

import { Close } from "./wire.js";

/** @typedef {import("./codec.js").Codec} Codec */
/** @typedef {"connecting" | "open" | "closed"} Status */
/**
 * @typedef {{opened: () => void, received: (envelope: any) => void, lost: (event: {code: number}) => void,
 *   failed: (reason: string) => void}} Talk
 */

/** Seconds before the first reconnect; doubled for each further one, up to the longest. */
const FIRST_PAUSE = 0.25;
const LONGEST_PAUSE = 10;
/** Seconds after which a connection has proved that it works, so that the next pause is the first one again. */
const SETTLED = 5;
/**
 * Seconds within which something comes once an answer is due. Where nothing does, the connection is dead, as after a
 * sleep or a change of networks, though the browser may take many minutes to see it.
 */
const ANSWERED = 20;
/**
 * How the reasons of a close 4000 begin that time mends: a tab that slept said its hello too late, or too much was
 * sent that the gateway refused. Any other is a fault that would be repeated for ever.
 */
const PASSING = ["flooding", "`hello` must come within"];

export class Connection {
  /** @type {WebSocket | undefined} */
  #socket;
  #pause = FIRST_PAUSE;
  /** When this connection was welcomed, in milliseconds of `performance.now`; null before that. @type {number | null} */
  #since = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** Runs while an answer is due. @type {ReturnType<typeof setTimeout> | undefined} */
  #due;
  /** Seconds that a `restart` asked to wait. @type {number | null} */
  restartDelay = null;
  closed = false;
  /** Says how envelopes are spelled; before it has come, nothing is opened. @type {Codec} */
  codec = /** @type {any} */ (undefined);

  /** @param {URL} url @param {Talk} talk */
  constructor(url, talk) {
    this.url = url;
    this.talk = talk;
    // The network is back: there is nothing to wait for.
    addEventListener("online", () => this.#timer !== undefined && this.open());
  }

  /** @param {Promise<Codec>} coming */
  async begin(coming) {
    this.codec = await coming;
    if (!this.closed) this.open();
  }

  open() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { name, decode } = this.codec;
    const socket = (this.#socket = new WebSocket(this.url, name));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket === this.#socket && this.talk.opened();
    socket.onmessage = (message) => {
      if (socket !== this.#socket) return;
      this.#answered();
      this.talk.received(decode(message.data));
    };
    socket.onclose = (event) => socket === this.#socket && this.#lost(event);
    this.expect();
  }

  /** Take note that an answer is due. */
  expect() {
    this.#due ??= setTimeout(() => {
      const socket = this.#socket;
      this.#socket = undefined;
      socket?.close();
      this.#lost({ code: 1006, reason: "" });
    }, 1000 * ANSWERED);
  }

  #answered() {
    clearTimeout(this.#due);
    this.#due = undefined;
  }

  /** @param {object} envelope */
  send(envelope) {
    this.#socket?.send(this.codec.encode(envelope));
  }

  get socket() {
    return this.#socket;
  }

  get isWelcomed() {
    return this.#since !== null && this.#socket?.readyState === WebSocket.OPEN;
  }

  welcomed() {
    this.#since = performance.now();
  }

  /** Take note that all is well. */
  proved() {
    this.#pause = FIRST_PAUSE;
  }

  /** Reconnect, to resume from what was seen. */
  resume() {
    this.#socket?.close();
  }

  close() {
    this.closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  /** @param {{code: number, reason: string}} event */
  #lost(event) {
    this.#answered();
    if (this.#since !== null && performance.now() - this.#since > 1000 * SETTLED) this.#pause = FIRST_PAUSE;
    this.#since = null;
    const passing = PASSING.some((reason) => event.reason.startsWith(reason));
    if (event.code === Close.REFUSED || (event.code === Close.PROTOCOL && !passing)) this.closed = true;
    if (event.code === Close.PROTOCOL && passing) this.#pause = LONGEST_PAUSE;
    this.talk.lost(event);
    if (this.closed) return this.talk.failed(`the gateway closed the connection (${event.code} ${event.reason})`);
    this.#timer = setTimeout(() => this.open(), 1000 * (this.restartDelay ?? this.#pause * (0.5 + Math.random() / 2)));
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    this.restartDelay = null;
  }
}
