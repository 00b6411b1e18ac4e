// The tab of all handlers: what each takes and says of itself, to be fired with a payload; and what is none, and why.

import { make } from "./dom.js";

/** @param {import("./studio.js").Shared} shared @returns {import("./studio.js").Tab} */
export function handlersTab(shared) {
  const list = make("ul", { class: "cards" });
  const others = make("ul", { class: "cards" });
  const othersTitle = make("h2", {}, "Not a handler");
  const trouble = make("p", { role: "alert" });
  const panel = make("section", { class: "page" }, trouble, make("h2", {}, "Handlers"), list, othersTitle, others);
  /** Rows stay, with what was typed into them, while workers are reloaded. @type {Map<string, {row: HTMLElement, described: string}>} */
  const rows = new Map();

  function show() {
    const { app } = shared.about;
    trouble.textContent = app?.error ? `The app can't be imported: ${app.error}. See the log below the code.` : "";
    trouble.classList.toggle("bad", Boolean(app?.error));
    if (!app?.handlers) {
      if (!app?.error) trouble.textContent = "No worker has told of its handlers yet; the log below the code says why.";
      return;
    }
    list.replaceChildren(...app.handlers.map((/** @type {any} */ handler) => rowOf(handler)));
    if (!app.handlers.length) list.append(make("li", {}, "The app has none: write a public function in its main module."));
    othersTitle.hidden = others.hidden = !app.not_exposed.length;
    others.replaceChildren(...app.not_exposed.map((/** @type {any} */ one) => make("li", {},
      make("code", {}, one.name), " ", place(one), make("p", {}, one.reason))));
  }

  /** @param {any} handler */
  function rowOf(handler) {
    const described = JSON.stringify(handler);
    const known = rows.get(handler.name);
    if (known?.described === described) return known.row;
    const row = makeRow(handler);
    rows.set(handler.name, { row, described });
    return row;
  }

  /** @param {any} handler */
  function makeRow(handler) {
    const takesPayload = handler.parameters.includes("payload");
    const payload = make("input", { "aria-label": `payload of ${handler.name}`, placeholder: "payload, as JSON", hidden: !takesPayload });
    const said = make("output", { "aria-live": "polite" });
    const fire = make("button", { "aria-label": `fire ${handler.name}` }, "fire");
    const form = make("form", { class: "row", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      fireWith(shared.client, handler.name, payload.value, said);
    } }, payload, fire);
    const signature = `${handler.async ? "async " : ""}${handler.name}(${handler.parameters.join(", ")})`;
    return make("li", { "data-handler": handler.name },
      make("code", {}, signature), " ", place(handler),
      handler.doc ? make("p", { class: "doc" }, handler.doc) : null, form, said);
  }

  /** @param {any} one */
  function place({ file, line }) {
    if (!file || !line || file.startsWith("/")) return null;
    return make("button", { class: "link", onclick: () => shared.openFile(file, line) }, `${file}:${line}`);
  }

  shared.feed.on("app", show);
  show();
  return { panel, shown: show };
}

/**
 * Fire a handler with a payload written as JSON, and tell what becomes of it.
 * @param {import("./session.js").Client} client @param {string} handler @param {string} text @param {HTMLElement} said
 */
function fireWith(client, handler, text, said) {
  let payload = null;
  try {
    payload = text.trim() ? JSON.parse(text) : null;
  } catch (error) {
    said.className = "bad";
    said.textContent = `the payload is not JSON: ${/** @type {Error} */ (error).message}; write text in quotes, as "Ada"`;
    return;
  }
  said.className = "";
  said.textContent = "sent";
  const fired = client.fire(handler, payload);
  fired.on("accepted", () => (said.textContent = "accepted, waits or runs"));
  fired.then((/** @type {any} */ { ok, result, error }) => {
    said.className = ok ? "good" : "bad";
    if (!ok) said.textContent = `${error.code}: ${error.message}`;
    else said.textContent = result === null || result === undefined ? "done" : `done: ${JSON.stringify(result, null, 2)}`;
  });
}
