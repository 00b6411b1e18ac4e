// Calls what has changed, once a frame: just before the browser paints, or soon where it does not paint.

import { safely } from "./diagnostics.js";

/** Milliseconds after which what waits for a frame is done without one, as in a hidden tab. */
const LATEST = 100;

/** Make a queue. @returns {(watcher: {call: () => void}) => void} */
export function perFrame() {
  /** @type {Set<{call: () => void}>} */
  const waiting = new Set();
  let frame = 0;
  let timer = 0;

  function flush() {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    // What is called may change more; that belongs to the same frame.
    for (const watcher of waiting) {
      waiting.delete(watcher);
      safely(() => watcher.call());
    }
    frame = 0;
  }

  return (watcher) => {
    waiting.add(watcher);
    if (frame) return;
    frame = requestAnimationFrame(flush);
    timer = setTimeout(flush, LATEST);
  };
}
