// The tab of the app's code: its files, edited and saved here, above what the app has printed.

import { ask } from "./api.js";
import { complain, make } from "./dom.js";
import { Editor } from "./editor.js";
import { makeLog } from "./log.js";
import { OpenFile } from "./open_file.js";

/** Milliseconds after the last key before the syntax is looked at. */
const CHECK_AFTER = 300;

/** @param {import("./studio.js").Shared} shared @returns {import("./studio.js").Tab} */
export function codeTab(shared) {
  const names = make("select", { "aria-label": "file", onchange: () => choose(names.value) });
  const saving = make("button", { onclick: save, disabled: true }, "Save");
  const fresh = make("button", { onclick: makeFile }, "New file");
  const said = make("p", { role: "status" });
  const conflict = make("p", { class: "conflict", role: "alert", hidden: true }, make("span"), " ",
    make("button", { onclick: () => settle(false) }, "Take theirs"), " ", make("button", { onclick: () => settle(true) }, "Keep mine"));
  const editor = new Editor(changed, save);
  const log = makeLog(shared, openFile);
  const panel = make("section", { class: "code" },
    make("div", { class: "bar" }, names, saving, fresh, said), conflict, editor.element, log.element);
  /** Those that were opened, with what is not saved of them. @type {Map<string, OpenFile>} */
  const files = new Map();
  /** @type {OpenFile | null} */
  let shownFile = null;
  /** The file that was chosen last, shown once it is read. */
  let chosen = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let checking;

  async function list() {
    const { main, names: found } = await ask("GET", "files");
    const all = [...new Set([...found, ...[...files.values()].filter(({ isDirty }) => isDirty).map(({ name }) => name)])];
    names.replaceChildren(...all.map((name) => make("option", { value: name })));
    mark();
    names.value = chosen;
    return main;
  }

  /** Show which files are not saved. */
  function mark() {
    for (const option of names.options) option.textContent = files.get(option.value)?.isDirty ? `${option.value} •` : option.value;
    saving.disabled = !shownFile?.isDirty;
  }

  /** @param {string} wanted */
  async function choose(wanted) {
    const file = files.get(wanted) ?? new OpenFile(wanted);
    names.value = chosen = wanted;
    complain(said);
    try {
      await load(file);
    } catch (error) {
      complain(said, error);
      if (!file.isDirty) files.delete(wanted);
      if (chosen === wanted) names.value = chosen = shownFile?.name ?? "";
      return;
    }
    files.set(wanted, file);
    // Another one may have been chosen while this one was read.
    if (chosen === wanted) show(file);
  }

  /** Read a file, and say what somebody else has made of it. @param {OpenFile} file */
  async function load(file) {
    const isMerged = await file.load();
    if (isMerged && !file.theirs) said.textContent = `${file.name} was changed by somebody else meanwhile, in other lines: theirs are in it now`;
  }

  /** @param {OpenFile} file */
  function show(file) {
    const isAnother = file !== shownFile;
    if (shownFile && isAnother) shownFile.spot = editor.spot;
    shownFile = file;
    editor.text = file.text;
    // Loaded text has the line ends of the field; anything else would be an edit.
    if (isAnother) editor.spot = file.spot;
    editor.disabled = false;
    editor.showFault(file.fault);
    conflict.hidden = !file.theirs;
    conflict.firstElementChild.textContent = file.theirs?.etag === null
      ? `${file.name} was deleted meanwhile. Keep mine, and saving makes it again.`
      : `${file.name} was changed by somebody else meanwhile, in lines that you have changed too.`;
    checkSoon();
    mark();
  }

  /** @param {boolean} mine */
  function settle(mine) {
    if (!shownFile) return;
    const isGone = !mine && shownFile.theirs?.etag === null;
    shownFile.settle(mine);
    if (!isGone) return show(shownFile);
    files.delete(shownFile.name);
    shownFile = null;
    chosen = "";
    refresh();
  }

  function changed() {
    if (!shownFile) return;
    shownFile.text = editor.text;
    if (shownFile.isDirty) complain(said);
    checkSoon();
    mark();
  }

  function checkSoon() {
    clearTimeout(checking);
    if (shownFile?.name.endsWith(".py")) checking = setTimeout(check, CHECK_AFTER);
  }

  async function check() {
    const file = shownFile;
    if (!file) return;
    const { text } = file;
    try {
      const { syntax } = await ask("POST", "syntax", { text });
      if (text === file.text) file.fault = syntax;
      if (text === file.text && file === shownFile) editor.showFault(syntax);
    } catch { /* the gateway is away; saving will say so */ }
  }

  async function save() {
    const file = shownFile;
    if (!file?.isDirty || file.theirs) return;
    try {
      await file.save();
      complain(said, file.fault ? `saved ${file.name}, with a syntax error` : undefined);
      if (!file.fault) said.textContent = `saved ${file.name}`;
    } catch (error) {
      complain(said, error);
      if (/** @type {any} */ (error).status === 409) await load(file).catch(() => undefined);
    }
    if (file === shownFile) show(file);
    else mark();
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

  /** @param {string} name @param {number} line */
  async function openFile(name, line) {
    await choose(name);
    if (shownFile?.name === name) editor.goTo(line);
  }

  /** Show what somebody else has written meanwhile, an editor or the other tabs of the studio. */
  async function refresh() {
    try {
      const main = await list();
      if (!chosen) return await choose(main);
      const file = shownFile;
      if (!file) return;
      await load(file);
      if (file === shownFile) show(file);
    } catch (error) {
      complain(said, error);
    }
  }

  function shown() {
    log.shown();
    refresh();
  }

  shared.feed.on("app", ({ error }) => {
    if (panel.hidden) return;
    refresh();
    complain(said, error ? "the app can't be imported, see the log" : undefined);
    if (!error) said.textContent = "the workers run this code";
  });
  addEventListener("focus", () => panel.hidden || refresh());
  addEventListener("beforeunload", (event) => {
    if ([...files.values()].some(({ isDirty }) => isDirty)) event.preventDefault();
  });
  return { panel, shown, openFile };
}
