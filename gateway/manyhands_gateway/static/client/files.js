// Files that the user has chosen, as payloads.

/** @typedef {{name: string, type: string, data: Uint8Array}} Chosen */

/** @param {Iterable<File>} files @returns {Promise<Chosen[]>} */
export function readFiles(files) {
  return Promise.all(Array.from(files, async (file) => {
    const { name, type } = file;
    return { name, type, data: new Uint8Array(await file.arrayBuffer()) };
  }));
}
