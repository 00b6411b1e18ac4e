// Large values and large payloads over HTTP, by a gateway that the test plays.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Transfers } from "../../../gateway/manyhands_gateway/static/client/transfers.js";

const BASE = new URL("http://gateway.test/_mh/ws");
let asked;
let answers;

beforeEach(() => {
  [asked, answers] = [[], []];
  globalThis.fetch = async (url, { method, body, headers }) => {
    asked.push([method, `${url.pathname}${url.search}`, headers.Authorization, body?.size]);
    return answers.shift();
  };
});

const reference = (type) => ({ $blob: "/_mh/blob/s/1", type, size: 3 });

test("a large value is read as JSON where it is that, and as bytes where it is of another type", async () => {
  const transfers = new Transfers(BASE, () => "token");
  answers.push(new Response('{"a": {"$bytes": "AQ=="}}'), new Response("[1]"), new Response("[1]"));
  assert.deepEqual(await transfers.fetchBlob(reference("application/json")), { a: Uint8Array.of(1) });
  assert.deepEqual(await transfers.fetchBlob(reference(undefined)), [1]);
  assert.deepEqual(await transfers.fetchBlob(reference("image/png")), new TextEncoder().encode("[1]"));
  assert.deepEqual(asked[0], ["GET", "/_mh/blob/s/1", "Bearer token", undefined]);
});

test("a session that only a cookie names is asked for without a token, once that is known", async () => {
  const transfers = new Transfers(BASE, () => "token");
  answers.push(new Response("", { status: 401 }), new Response("1"), new Response("2"));
  assert.equal(await transfers.fetchBlob(reference()), 1);
  assert.equal(await transfers.fetchBlob(reference()), 2);
  assert.deepEqual(asked.map(([, , token]) => token), ["Bearer token", undefined, undefined]);
});

test("an upload goes on where the gateway says that it is", async () => {
  const transfers = new Transfers(BASE, () => null);
  const at = (offset, status = 200) => new Response(JSON.stringify({ id: "u", offset }), { status });
  answers.push(at(0), at(500_000, 409), at(1_500_000));
  const sent = [];
  const named = await transfers.upload(new Blob([new Uint8Array(1_500_000)]), (part) => sent.push(part));
  assert.deepEqual(named, { $upload: "u" });
  assert.deepEqual(asked.map(([method, path, , size]) => [method, path, size]), [
    ["POST", "/_mh/upload?size=1500000", undefined],
    ["PUT", "/_mh/upload/u?offset=0", 1024 * 1024],
    ["PUT", "/_mh/upload/u?offset=500000", 1_000_000],
  ]);
  assert.deepEqual(sent, [0, 1 / 3]);
});
