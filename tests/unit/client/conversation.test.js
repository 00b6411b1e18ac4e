// What is said between a client and a gateway that the test plays: whose mail is whose, and what becomes of events.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

globalThis.dispatchEvent = () => {};
console.error = () => {};
const { Conversation } = await import("../../../gateway/manyhands_gateway/static/client/conversation.js");
const { Firing } = await import("../../../gateway/manyhands_gateway/static/client/fired.js");
const { Outbox } = await import("../../../gateway/manyhands_gateway/static/client/outbox.js");
const { States } = await import("../../../gateway/manyhands_gateway/static/client/states.js");
const { Store } = await import("../../../gateway/manyhands_gateway/static/client/store.js");

let talk;
let sent;
let said;
let conversation;

/** A tab that was welcomed, unless it is told to wait. */
beforeEach(() => {
  [sent, said] = [[], []];
  const connection = {
    isWelcomed: false,
    welcomed() { this.isWelcomed = true; },
    proved() {},
    expect() {},
    resume() { sent.push("resume"); },
    send(envelope) { sent.push(JSON.parse(JSON.stringify(envelope))); },
  };
  const connect = (given) => ((talk = given), connection);
  let stored = null;
  const token = { get: () => stored, set: (made) => (stored = made) };
  const states = new States(() => new Store(async () => undefined, () => {}));
  const say = (what, ...about) => said.push([what, ...about]) > 0;
  conversation = new Conversation("me", states, new Outbox("box", "me"), token, say, connect);
  talk.opened();
  talk.received({ type: "welcome", session: "token", seq: 0, n: 0, state: {} });
  sent.length = said.length = 0;
});

function fire(handler) {
  const firing = new Firing(() => {});
  conversation.post({ n: null, handler, payload: null, context: {}, firing });
  return firing;
}

const update = (seq, client, n, more) => talk.received({ type: "update", seq, event: { client, n }, ...more });
const note = (text, own) => ({ type: "note", text, ...(own && { own }) });
/** The texts of the mail that this tab was given, and whether it fired the event. */
const mail = () => said.filter(([what]) => what === "mail:note").map(([, { text }, own]) => [text, own]);

test("mail for all tabs reaches each, and mail that is one tab's own only the tab that has fired the event", async () => {
  const firing = fire("go");
  talk.received({ type: "accepted", n: 1 });
  update(1, "me", 1, { mail: [note("partial, mine", true), note("partial, all")] });
  update(2, "other", 1, { mail: [note("partial, the other's", true), note("of another, all")] });
  update(3, "me", 1, { done: true, ok: true, result: 7, mail: [note("end, mine", true), note("end, all")] });
  update(4, "other", 1, { done: true, ok: true, mail: [note("end, the other's", true), note("end of another, all")] });
  assert.deepEqual(mail(), [
    ["partial, mine", true], ["partial, all", true], ["of another, all", false],
    ["end, mine", true], ["end, all", true], ["end of another, all", false],
  ]);
  assert.equal((await firing.fired).result, 7);
});

test("the number of another tab's event means nothing here", async () => {
  const firing = fire("go");
  talk.received({ type: "accepted", n: 1 });
  update(1, "other", 1, { done: true, ok: false, error: { code: "handler_failed", message: "x" } });
  assert.equal(firing.ended, false);
});

test("mail that a repeated update brings again is not delivered again", () => {
  const repeated = { done: true, ok: true, mail: [note("once")] };
  update(1, "other", 1, repeated);
  update(1, "other", 1, repeated);
  assert.deepEqual(mail(), [["once", false]]);
});

test("mail of an event that has ended while the tab was away is delivered with its end", async () => {
  const firing = fire("go");
  talk.received({ type: "accepted", n: 1 });
  const ended = [{ n: 1, ok: true, result: 1, mail: [note("mine", true)] }];
  talk.received({ type: "welcome", session: "token", seq: 5, n: 1, state: {}, pending: [], ended });
  assert.deepEqual(mail(), [["mine", true]]);
  assert.equal((await firing.fired).ok, true);
});

test("an update that does not follow is not told of, and what is missing is asked for", () => {
  update(2, "other", 1, { done: true, ok: true, mail: [note("too early")] });
  assert.deepEqual([mail(), sent], [[], ["resume"]]);
  update(1, "other", 1, { add: [[["none"], "more"]], mail: [note("does not fit")] });
  assert.deepEqual([mail(), sent], [[], ["resume", "resume"]]);
  talk.opened();
  assert.deepEqual(sent.at(-1), { type: "hello", client: "me", add: true, session: "token" });
});
