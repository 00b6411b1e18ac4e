// The tab of the app's code: its files, edited and saved here, above what the app has printed.

import { ask } from "./api.js";
import { complain, make } from "./dom.js";
import { Editor } from "./editor.js";
import { makeLog } from "./log.js";

/** Milliseconds after the last key before the syntax is looked at. */
const CHECK_AFTER = 300;

/** @param {import("./studio.js").Shared} shared @returns {import("./studio.js").Tab} */
export function codeTab(shared) {
  const files = make("select", { "aria-label": "file", onchange: () => choose(files.value) });
  const saving = make("button", { onclick: save, disabled: true }, "Save");
  const fresh = make("button", { onclick: makeFile }, "New file");
  const said = make("p", { role: "status" });
  const editor = new Editor(changed, save);
  const log = makeLog(shared, (file, line) => openFile(file, line));
  const panel = make("section", { class: "code" },
    make("div", { class: "bar" }, files, saving, fresh, said), editor.element, log.element);
  let name = "", etag = "", saved = "";
  /** What was edited and not saved, by file. @type {Map<string, {text: string, etag: string, saved: string}>} */
  const drafts = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let checking;

  async function list() {
    const { main, names } = await ask("GET", "files");
    files.replaceChildren(...names.map((/** @type {string} */ one) => make("option", { value: one }, drafts.has(one) ? `${one} •` : one)));
    if (name) files.value = name;
    return main;
  }

  /** @param {string} wanted */
  async function choose(wanted) {
    if (name && editor.text !== saved) drafts.set(name, { text: editor.text, etag, saved });
    try {
      const file = await ask("GET", `file?name=${encodeURIComponent(wanted)}`);
      const draft = drafts.get(wanted);
      drafts.delete(wanted);
      ({ name, etag } = file);
      if (draft) etag = draft.etag;
      saved = draft?.saved ?? file.text;
      editor.text = draft?.text ?? file.text;
      editor.disabled = false;
      editor.showFault(file.syntax);
      complain(said);
      changed();
    } catch (error) {
      complain(said, error);
    }
    files.value = name;
  }

  function changed() {
    const isDirty = editor.text !== saved;
    saving.disabled = !isDirty;
    if (isDirty) complain(said);
    clearTimeout(checking);
    if (name.endsWith(".py")) checking = setTimeout(check, CHECK_AFTER);
  }

  async function check() {
    const { text } = editor;
    const { syntax } = await ask("POST", "syntax", { text });
    if (text === editor.text) editor.showFault(syntax);
  }

  async function save() {
    if (!name || editor.text === saved) return;
    const { text } = editor;
    try {
      const file = await ask("PUT", `file?name=${encodeURIComponent(name)}`, { text, etag });
      etag = file.etag;
      saved = text;
      editor.showFault(file.syntax);
      said.textContent = file.syntax ? "saved, with a syntax error" : "saved";
      said.classList.toggle("bad", Boolean(file.syntax));
      saving.disabled = editor.text === saved;
    } catch (error) {
      complain(said, error);
    }
  }

  async function makeFile() {
    const wanted = prompt("Name of the new file, such as more.py or static/more.css");
    if (!wanted) return;
    try {
      await ask("PUT", `file?name=${encodeURIComponent(wanted)}`, { text: "", etag: null });
      await list();
      await choose(wanted);
    } catch (error) {
      complain(said, error);
    }
  }

  /** @param {string} file @param {number} line */
  async function openFile(file, line) {
    if (file !== name) await choose(file);
    editor.goTo(line);
  }

  /** Show what somebody else has written meanwhile, unless that would lose what was typed here. */
  async function shown() {
    log.shown();
    try {
      const main = await list();
      if (!name || editor.text === saved) await choose(name || main);
    } catch (error) {
      complain(said, error);
    }
  }

  shared.feed.on("app", ({ error }) => {
    if (!panel.hidden) said.textContent = error ? "the app can't be imported, see the log" : "the workers run this code";
    said.classList.toggle("bad", Boolean(error));
  });
  addEventListener("beforeunload", (event) => {
    if (drafts.size || editor.text !== saved) event.preventDefault();
  });
  return { panel, shown, openFile };
}
