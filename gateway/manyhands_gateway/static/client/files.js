// Bytes that the user has chosen or made, as payloads: small ones as they are, large ones sent ahead over HTTP.

/** @typedef {import("./client.js").Client} Client */
/** Told how much has been sent, from 0 to 1. @typedef {(sent: number) => void} Progress */

/** Bytes up to which a file travels in its event. */
const SMALL = 256 * 1024;

/** @param {Client} client @param {Blob} blob @param {Progress} [progress] */
export async function payloadOf(client, blob, progress) {
  return blob.size > SMALL ? client.upload(blob, progress) : new Uint8Array(await blob.arrayBuffer());
}

/** @param {Client} client @param {Iterable<File>} files @param {Progress} [progress] */
export async function payloadsOf(client, files, progress) {
  const found = [];
  for (const file of files) found.push({ name: file.name, type: file.type, data: await payloadOf(client, file, progress) });
  return found;
}
