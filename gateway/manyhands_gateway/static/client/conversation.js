// What is said between a client and the gateways: a hello, events, and what comes back.

import { fail } from "./diagnostics.js";
import { Firing } from "./fired.js";
import { perform } from "./perform.js";
import { Outbox } from "./outbox.js";
import { Close, Failure, Rejection, Type } from "./wire.js";

/** @typedef {import("./wire.js").Dict} Dict */
/** @typedef {import("./outbox.js").Entry} Entry */
/** Tells who listens to a client; gives whether somebody does. @typedef {(what: string, ...about: any[]) => boolean} Say */
/** Where the session's token is kept. @typedef {{get: () => string | null, set: (token: string | null) => void}} Token */

/** Seconds before what was put off is sent again, where the gateway does not say. */
const RETRY = 1;

/** Give what a token says of its session; behind it is a signature, which changes with the gateways' key. @param {string | null} token */
const sessionOf = (token) => token?.split(".")[0] ?? null;

export class Conversation {
  /** The token of the session this tab is in, or asked for. @type {string | null} */
  #token;
  #highest;
  /** Set while the gateway has asked to wait; what is fired then is sent after it, in order. @type {ReturnType<typeof setTimeout> | undefined} */
  #holding;
  /** What was accepted and has not ended, by number. @type {Map<number, Firing>} */
  #running = new Map();
  /** Numbers of events to be cancelled as soon as there is a connection. @type {Set<number>} */
  #cancelling = new Set();

  /**
   * @param {string} client the id of this tab @param {import("./states.js").States} states @param {Outbox} outbox
   * @param {Token} token @param {Say} say
   * @param {(talk: import("./connection.js").Talk) => import("./connection.js").Connection} connect
   */
  constructor(client, states, outbox, token, say, connect) {
    this.client = client;
    this.states = states;
    this.outbox = outbox;
    this.token = token;
    this.say = say;
    this.#token = outbox.restore();
    this.#highest = Math.max(0, ...outbox.entries.map((entry) => entry.n ?? 0));
    this.connection = connect({
      opened: () => this.#hello(),
      received: (envelope) => this.#receive(envelope),
      lost: (event) => this.#lost(event),
      failed: (reason) => this.fail(reason),
    });
  }

  /** Send an event, or keep it until it can be sent. @param {Entry} entry */
  post(entry) {
    this.outbox.entries.push(entry);
    if (this.connection.isWelcomed && this.#holding === undefined) this.#send(entry);
    else this.save();
    this.say("unsent");
  }

  save() {
    this.outbox.save(this.#token);
  }

  /** End an event that is not sent, or not again. @param {string} handler @param {Firing | undefined} firing @param {string} code @param {string} why @param {boolean | null} [ok] */
  drop(handler, firing, code, why, ok = false) {
    fail(code, `${handler} was dropped: ${why}`, firing?.element);
    firing?.end(ok, { code, message: why });
    this.say("unsent");
  }

  /** @param {Firing} firing */
  cancel(firing) {
    if (firing.ended) return;
    if (firing.n !== null) return this.cancelNumber(firing.n);
    this.outbox.take((entry) => entry.firing === firing);
    firing.end(false, { code: Failure.CANCELLED, message: "cancelled before it was sent" });
    this.say("unsent");
  }

  /** @param {number} n */
  cancelNumber(n) {
    if (this.connection.isWelcomed) this.connection.send({ type: Type.CANCEL, n });
    else this.#cancelling.add(n);
  }

  /** Come to the end of all connections. @param {string} reason */
  fail(reason) {
    if (reason) fail("closed", reason);
    const left = [...this.outbox.take(() => true).map((entry) => entry.firing), ...this.#running.values()];
    for (const firing of left) firing?.end(null, { code: "closed", message: reason || "the client was closed" });
    this.#running.clear();
    this.say("status", "closed", reason);
  }

  /** Find out whether the connection lives, which may have died unseen: a number that no event has is ignored. */
  probe() {
    if (this.connection.isWelcomed) this.connection.send({ type: Type.CANCEL, n: Number.MAX_SAFE_INTEGER });
  }

  /** Go where another tab has gone, where both have begun a session at once. */
  follow() {
    const stored = this.token.get();
    if (stored && this.connection.isWelcomed && sessionOf(stored) !== sessionOf(this.#token)) this.connection.resume();
  }

  #hello() {
    const stored = this.token.get();
    if (sessionOf(stored) !== sessionOf(this.#token)) this.#forgetSession();
    this.#token = stored;
    const { own: { seq }, seqs } = this.states;
    const known = stored ? { session: stored, ...(seq !== null && { seq }), ...(seqs && { shared: seqs }) } : {};
    this.connection.send({ type: Type.HELLO, client: this.client, add: true, ...known });
  }

  /**
   * Leave a session that is gone, or that another tab has replaced: its numbers mean nothing in the next one.
   * What was sent there and not answered may have run there, so it is dropped: in the next session nothing would tell
   * it from an event of its own, and it could run twice. What was never sent goes to the next session.
   */
  #forgetSession() {
    this.states.forget();
    this.#highest = 0;
    for (const { handler, firing } of this.outbox.take((entry) => entry.n !== null)) {
      this.drop(handler, firing, "session_ended", "its session has ended, and it may have run there", null);
    }
    const message = "its session has ended before it was answered";
    for (const firing of this.#running.values()) firing.end(null, { code: "session_ended", message });
    this.#running.clear();
    this.#cancelling.clear();
  }

  /** @param {{code: number}} event */
  #lost({ code }) {
    clearTimeout(this.#holding);
    this.#holding = undefined;
    // Another tab may have begun a new session already; then that one is ours too.
    if (code === Close.SESSION_UNKNOWN && this.token.get() === this.#token) this.token.set(null);
    // Sent again, the gateway would close the connection for ever.
    if (code === Close.TOO_BIG) {
      const { entry, size } = this.outbox.largest;
      for (const { handler, firing } of this.outbox.take((one) => one === entry)) {
        this.drop(handler, firing, Rejection.PAYLOAD_TOO_LARGE, `its payload is too large (the event has ${size} bytes)`);
      }
    }
    this.save();
    this.say("status", "connecting");
  }

  /** @param {Dict} envelope */
  #receive(envelope) {
    switch (envelope.type) {
      case Type.WELCOME: return this.#welcome(envelope);
      case Type.ACCEPTED:
        // A welcome proves less: the first event may make a gateway close the connection.
        this.connection.proved();
        return this.#accepted(envelope.n);
      case Type.UPDATE: return this.#update(envelope);
      case Type.REJECTED: return this.#rejected(envelope);
      case Type.RESTART: return void (this.connection.restartDelay = envelope.delay);
      case Type.LOG:
        console.log(envelope.text);
        return this.say("log", envelope);
    }
  }

  /** @param {Dict} envelope */
  #welcome(envelope) {
    this.#token = /** @type {string} */ (envelope.session);
    this.token.set(this.#token);
    this.connection.welcomed();
    this.#highest = Math.max(this.#highest, envelope.n ?? 0);
    this.states.joined(envelope.shared ?? {});
    if (envelope.state) {
      this.states.own.replace(envelope.state, envelope.seq);
      this.#settle(envelope);
    }
    this.say("welcome");
    this.say("status", "open");
    this.#resend();
    for (const n of this.#cancelling) this.connection.send({ type: Type.CANCEL, n });
    this.#cancelling.clear();
  }

  /** Tell of the events that have ended while this tab was away, where their updates do not follow. @param {Dict} envelope */
  #settle(envelope) {
    for (const end of envelope.ended ?? []) this.#ended(end.n, end);
    if (!envelope.pending) return;
    for (const n of envelope.pending) this.#accepted(n);
    for (const [n, firing] of this.#running) {
      if (envelope.pending.includes(n)) continue;
      this.#running.delete(n);
      firing.end(null, { code: "unknown_end", message: "it has ended while this page was away" });
    }
  }

  /** Send all that was not accepted, with the numbers it had: the gateway runs none of it twice. */
  #resend() {
    this.#holding = undefined;
    const now = Date.now();
    for (const { handler, firing } of this.outbox.take(({ n, until }) => n === null && until !== undefined && until < now)) {
      this.drop(handler, firing, "expired", "it could not be sent within its lifetime");
    }
    for (const entry of this.outbox.entries) this.#send(entry);
  }

  /** @param {Entry} entry */
  #send(entry) {
    entry.n ??= ++this.#highest;
    if (entry.firing) entry.firing.n = entry.n;
    try {
      this.connection.send({ type: Type.EVENT, ...Outbox.fields(entry) });
      this.connection.expect();
    } catch (error) {
      this.outbox.take((one) => one === entry);
      this.drop(entry.handler, entry.firing, "bad_payload", String(error));
    }
  }

  /** @param {number} n */
  #accepted(n) {
    for (const { firing } of this.outbox.take((entry) => entry.n === n)) {
      if (firing) this.#running.set(n, firing);
      firing?.tell("accepted", n);
      this.say("unsent");
    }
  }

  /** @param {Dict} envelope */
  #update(envelope) {
    const store = envelope.shared === undefined ? this.states.own : this.states.room(envelope.shared);
    const { seq } = store;
    if (!store.apply(envelope)) return this.connection.resume(); // go on from what was seen
    if (envelope.state !== undefined) this.states.list();
    if (store !== this.states.own || store.seq === seq) return;
    const { client, n } = envelope.event ?? {};
    const own = client === this.client;
    if (!envelope.done) {
      this.#deliver(envelope, own);
      return void (own && this.#running.get(n)?.tell("partial", envelope));
    }
    if (own) this.#ended(n, envelope);
    else {
      report(envelope.error);
      this.#deliver(envelope, false);
    }
  }

  /** Take the end of one of this client's events. @param {number} n @param {Dict} end */
  #ended(n, end) {
    this.#accepted(n);
    const firing = this.#running.get(n);
    this.#running.delete(n);
    // What has ended before this page was loaded was told to the page before it.
    if (!firing && end.type === undefined) return;
    report(end.error, firing?.element);
    this.#deliver(end, true);
    firing?.end(end.ok, end.error, end.result);
  }

  /** @param {Dict} end @param {boolean} own */
  #deliver(end, own) {
    for (const mail of end.mail ?? []) {
      if ((own || !mail.own) && !this.say(`mail:${mail.type}`, mail, own)) perform(mail, this.connection.url);
    }
  }

  /** @param {Dict} envelope */
  #rejected({ n, code, message, retry_after }) {
    const { connection } = this;
    // Where no worker knows the app yet, nothing is wrong with the event: it waits for the first one.
    const seconds = retry_after ?? (!connection.isWelcomed || code === Rejection.NO_WORKER ? RETRY : null);
    if (!connection.isWelcomed) {
      console.warn(`manyhands: ${message}`);
      const { socket } = connection;
      setTimeout(() => socket === connection.socket && socket?.readyState === WebSocket.OPEN && this.#hello(), 1000 * seconds);
    } else if (seconds !== null) {
      this.#holding ??= setTimeout(() => this.#resend(), 1000 * seconds);
    } else {
      const [entry] = n === null ? [] : this.outbox.take((one) => one.n === n);
      fail(code, message, entry?.firing?.element);
      entry?.firing?.end(false, { code, message });
      this.say("unsent");
    }
  }
}

/**
 * Say what went wrong with an event; one that was cancelled went as somebody wanted.
 * @param {import("./wire.js").Failing | null} error @param {Element} [element] where it was fired
 */
function report(error, element) {
  if (error && error.code !== Failure.CANCELLED) fail(error.code, error.message, element);
}
