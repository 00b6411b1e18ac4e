// The tab of the session's state, private keys too: a tree whose changes flash, to be edited and reset.

import { ask } from "./api.js";
import { complain, make } from "./dom.js";
import { TreeNode } from "./tree.js";

/** Milliseconds between two looks at the state while it changes all the time. */
const INTERVAL = 120;

/** @param {import("./studio.js").Shared} shared @returns {import("./studio.js").Tab} */
export function stateTab(shared) {
  const trouble = make("p", { role: "alert" });
  const reset = make("button", { onclick: () => act(ask("DELETE", "state")) }, "Reset the session");
  const root = new TreeNode([], save);
  const panel = make("section", { class: "page" },
    make("div", { class: "bar" }, make("h2", {}, "State"), reset), trouble, make("ul", { class: "tree" }, root.element));
  /** Events of ours that have not ended. @type {Set<number>} */
  const acting = new Set();
  let due = false, reading = false;

  /** @param {string[]} path @param {unknown} value */
  function save(path, value) {
    return act(ask("PUT", "state", { path, value }));
  }

  /** @param {Promise<{n: number}>} asked */
  async function act(asked) {
    complain(trouble);
    try { acting.add((await asked).n); } catch (error) { complain(trouble, error); }
  }

  /** Read the state, soon, and again if it has changed meanwhile. */
  async function refresh() {
    due = true;
    if (reading || panel.hidden || shared.client.status !== "open") return;
    reading = true;
    while (due) {
      due = false;
      try {
        root.show(await ask("GET", "state"));
      } catch (error) {
        complain(trouble, error);
      }
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
    reading = false;
  }

  shared.feed.on("update", ({ own, event, done, error }) => {
    if (own) refresh();
    if (done && event.client === "studio" && acting.delete(event.n) && error) complain(trouble, error.message);
  });
  shared.client.on("status", refresh);
  return { panel, shown: refresh };
}
