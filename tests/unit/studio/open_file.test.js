// What becomes of a file that is edited in the studio while somebody else writes it.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const pages = "../../../gateway/manyhands_gateway/studio/pages/";
const { merge } = await import(`${pages}merge.js`);
const { OpenFile } = await import(`${pages}open_file.js`);

/** What lies on the disk; null: nothing. */
let disk = "a\nb\nc\n";
globalThis.localStorage = { getItem: () => null };
globalThis.fetch = async (address, { method, body }) => {
  const etag = (text) => `etag of ${text}`;
  if (method === "GET") return disk === null ? answer(404, { error: "it does not exist" }) : answer(200, { text: disk, etag: etag(disk), syntax: null });
  const asked = JSON.parse(body);
  if (asked.etag !== (disk === null ? null : etag(disk))) return answer(409, { error: "changed by somebody else meanwhile" });
  disk = asked.text;
  return answer(200, { etag: etag(disk), syntax: null });
};
const answer = (status, body) => ({ ok: status === 200, status, text: async () => JSON.stringify(body) });

async function opened() {
  const file = new OpenFile("main.py");
  await file.load();
  return file;
}

beforeEach(() => (disk = "a\nb\nc\n"));

test("edits of different lines are joined, in whatever order they lie", () => {
  assert.equal(merge("a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\nd\n"), "A\nb\nC\nd\n");
  assert.equal(merge("a\nb\nc\n", "a\nb\nc\nd\n", "0\na\nb\nc\n"), "0\na\nb\nc\nd\n");
  assert.equal(merge("a\nb\nc", "b\nc", "a\nb"), "b");
});

test("edits that touch each other are not joined", () => {
  assert.equal(merge("a\nb\n", "A\nb\n", "x\nb\n"), null);
  assert.equal(merge("a\nb\n", "a\nb\nmine\n", "a\nb\ntheirs\n"), null);
  assert.equal(merge("a\nb\nc\n", "A\nb\nc\n", "a\nB\nc\n"), null);
});

test("who has done nothing gets what the other has done", () => {
  assert.equal(merge("a", "a", "b"), "b");
  assert.equal(merge("a", "b", "a"), "b");
  assert.equal(merge("a", "b", "b"), "b");
});

test("what somebody else writes in other lines comes into what is edited, and both are saved", async () => {
  const file = await opened();
  file.text = "mine\na\nb\nc\n";
  disk = "a\nb\nc\ntheirs\n";
  await assert.rejects(file.save(), { status: 409 });
  assert.equal(await file.load(), true);
  await file.save();
  assert.equal(disk, "mine\na\nb\nc\ntheirs\n");
  assert.equal(file.isDirty, false);
});

test("what touches the same lines waits until somebody says which of them stays", async () => {
  for (const [mine, kept] of [[true, "a\nmine\nc\n"], [false, "a\ntheirs\nc\n"]]) {
    disk = "a\nb\nc\n";
    const file = await opened();
    file.text = "a\nmine\nc\n";
    disk = "a\ntheirs\nc\n";
    await file.load();
    assert.equal(file.text, "a\nmine\nc\n");
    await assert.rejects(file.save(), { status: 409 });
    file.settle(mine);
    assert.equal(file.isDirty, mine);
    if (mine) await file.save();
    assert.equal(disk, kept);
  }
});

test("a file that is not edited follows the disk, and one that was deleted is missed only where it is edited", async () => {
  const file = await opened();
  disk = "new\n";
  await file.load();
  assert.equal(file.text, "new\n");
  disk = null;
  await assert.rejects(file.load(), { status: 404 });
  file.text = "mine\n";
  await file.load();
  assert.equal(file.theirs.etag, null);
  file.settle(true);
  await file.save();
  assert.equal(disk, "mine\n");
});

test("two saves in a row write one after the other, and what was typed meanwhile stays unsaved", async () => {
  const file = await opened();
  file.text = "one\n";
  const saving = [file.save(), file.save()];
  file.text = "two\n";
  await Promise.all(saving);
  assert.equal(disk, "two\n");
  file.text = "three\n";
  assert.equal(file.isDirty, true);
});
