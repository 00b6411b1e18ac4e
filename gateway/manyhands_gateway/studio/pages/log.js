// The log: what the app has printed when it was imported, and what each handler has, with its event.

import { make } from "./dom.js";

/** Lines that are kept. */
const KEPT = 500;

/**
 * Make the log.
 * @param {import("./studio.js").Shared} shared @param {(file: string, line: number) => void} openFile
 */
export function makeLog({ feed }, openFile) {
  const lines = make("ol", { class: "log", "aria-label": "log", tabIndex: 0 });
  const clear = make("button", { onclick: () => lines.replaceChildren() }, "Clear");
  /** Lines that come with the next frame: to look where the scrollbar is costs more than a line. @type {import("./feed.js").Entry[]} */
  let coming = [];

  /** @param {import("./feed.js").Entry} entry */
  function add(entry) {
    if (!coming.length) requestAnimationFrame(flush);
    coming.push(entry);
    if (coming.length > 2 * KEPT) coming = coming.slice(-KEPT);
  }

  function flush() {
    // Whoever has scrolled up reads something.
    const follows = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 8;
    lines.append(...coming.slice(-KEPT).map((entry) => lineOf(entry, openFile)));
    coming = [];
    while (lines.children.length > KEPT) lines.firstElementChild?.remove();
    if (follows) lines.scrollTop = lines.scrollHeight;
  }

  feed.on("log", add);
  feed.on("app", ({ error, version, handlers, time }) => {
    if (!error) add({ level: "note", time, source: "workers", text: `the app was imported: ${handlers.length} handlers, version ${version}` });
  });
  const element = make("section", { class: "logging" }, make("div", { class: "bar" }, make("h2", {}, "Log"), clear), lines);
  return { element, shown: () => void (lines.scrollTop = lines.scrollHeight) };
}

/** @param {import("./feed.js").Entry} entry @param {(file: string, line: number) => void} openFile */
export function lineOf({ level, text, time, source, handler, event, session, own, file, line }, openFile) {
  const about = handler ? `${handler} ${event.n}${session && !own ? " of another session" : ""}` : source;
  const place = file ? make("button", { class: "link", onclick: () => openFile(file, line) }, `${file}:${line}`) : null;
  return make("li", { "data-level": level },
    make("time", {}, new Date(1000 * time).toLocaleTimeString()), " ",
    make("b", {}, about ?? ""), " ", place, make("pre", {}, text));
}
