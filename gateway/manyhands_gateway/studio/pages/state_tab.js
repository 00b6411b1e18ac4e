// The tab of the session's state and of its rooms', private keys too: trees whose changes flash, to be edited and reset.

import { ask } from "./api.js";
import { complain, make } from "./dom.js";
import { TreeNode } from "./tree.js";

/** Milliseconds between two looks at the state while it changes all the time: so many times as long as a look takes. */
const INTERVAL = 120;
const REST = 4;
const LONGEST_REST = 5000;

/** @param {import("./studio.js").Shared} shared @returns {import("./studio.js").Tab} */
export function stateTab(shared) {
  const trouble = make("p", { role: "alert" });
  const reset = make("button", { onclick: () => act(ask("DELETE", "state")) }, "Reset the session");
  const root = new TreeNode({ room: null, path: [] }, save);
  const list = make("ul", { class: "tree" }, root.element);
  const panel = make("section", { class: "page" }, make("div", { class: "bar" }, make("h2", {}, "State"), reset), trouble, list);
  /** @type {Map<string, TreeNode>} */
  const rooms = new Map();
  /** Events of ours that have not ended. @type {Set<number>} */
  const acting = new Set();
  let due = false, reading = false;

  /** @type {import("./tree.js").Save} */
  function save({ room, path }, what) {
    return act(ask("PUT", "state", { room, path, ...what }));
  }

  /** @param {Promise<{n: number}>} asked */
  async function act(asked) {
    complain(trouble);
    try {
      acting.add((await asked).n);
      return true;
    } catch (error) {
      complain(trouble, error);
      return false;
    }
  }

  /** @param {{state: any, rooms: {[name: string]: any}}} found */
  function show(found) {
    root.show(found.state);
    for (const [name, node] of rooms) {
      if (Object.hasOwn(found.rooms, name)) continue;
      node.element.remove();
      rooms.delete(name);
    }
    for (const [name, state] of Object.entries(found.rooms)) {
      const node = rooms.get(name) ?? new TreeNode({ room: name, path: [] }, save);
      if (!rooms.has(name)) list.append(node.element);
      rooms.set(name, node);
      node.show(state);
    }
  }

  /** Read the state, soon, and again if it has changed meanwhile. */
  async function refresh() {
    due = true;
    if (reading || panel.hidden || shared.client.status !== "open") return;
    reading = true;
    while (due && !panel.hidden) {
      due = false;
      const since = performance.now();
      try {
        show(await ask("GET", "state"));
      } catch (error) {
        complain(trouble, error);
      }
      // A large one must not keep the gateway from everything else.
      const rest = Math.min(Math.max(INTERVAL, REST * (performance.now() - since)), LONGEST_REST);
      await new Promise((resolve) => setTimeout(resolve, rest));
    }
    reading = false;
  }

  shared.feed.on("update", ({ own, shared: room, event, done, error }) => {
    if (own || rooms.has(room)) refresh();
    if (done && event.client === "studio" && acting.delete(event.n) && error) complain(trouble, error.message);
  });
  shared.client.on("status", refresh);
  return { panel, shown: refresh };
}
