// The studio: its tabs, and what they share.

import { ask } from "./api.js";
import { codeTab } from "./code_tab.js";
import { make } from "./dom.js";
import { eventsTab } from "./events_tab.js";
import { Feed } from "./feed.js";
import { handlersTab } from "./handlers_tab.js";
import { pageTab } from "./page_tab.js";
import { joinSession, showStatus } from "./session.js";
import { stateTab } from "./state_tab.js";

/** @typedef {import("./session.js").Client} Client */
/** What the app consists of. @typedef {{directory: string, main: string, stubs: any, app: any, has_page: boolean}} About */
/**
 * What tabs share. `about` is renewed when workers have imported the app anew; `open` shows another tab.
 * @typedef {{client: Client, feed: Feed, about: About, open: (tab: string) => void, openFile: (file: string, line: number) => void}} Shared
 */
/** A tab: its panel, and what is to happen when it is shown. @typedef {{panel: HTMLElement, shown?: () => void, openFile?: (file: string, line: number) => void}} Tab */

const TABS = { Page: pageTab, Code: codeTab, State: stateTab, Events: eventsTab, Handlers: handlersTab };

async function start() {
  const [client, about] = await Promise.all([joinSession(), ask("GET", "app")]);
  const feed = new Feed();
  /** @type {Map<string, Tab & {button: HTMLButtonElement}>} */
  const tabs = new Map();
  /** @type {Shared} */
  const shared = { client, feed, about, open, openFile };

  // Before the tabs hear of it. Of an app that can't be imported, the handlers that it had are still announced.
  feed.on("app", (entry) => (about.app = entry.error ? { ...about.app, error: entry.error } : entry));

  /** @param {string} name */
  function open(name) {
    for (const [other, { button, panel }] of tabs) {
      button.setAttribute("aria-selected", String(other === name));
      button.tabIndex = other === name ? 0 : -1;
      panel.hidden = other !== name;
    }
    history.replaceState(null, "", `#${name}`);
    tabs.get(name)?.shown?.();
  }

  /** @param {string} file @param {number} line */
  function openFile(file, line) {
    open("Code");
    tabs.get("Code")?.openFile?.(file, line);
  }

  const [bar] = document.querySelectorAll("nav");
  const [main] = document.querySelectorAll("main");
  for (const [name, build] of Object.entries(TABS)) {
    const tab = build(shared);
    const button = make("button", { role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, onclick: () => open(name) }, name);
    Object.assign(tab.panel, { id: `panel-${name}`, hidden: true });
    tab.panel.setAttribute("role", "tabpanel");
    tab.panel.setAttribute("aria-labelledby", button.id);
    tabs.set(name, { ...tab, button });
    bar.append(button);
    main.append(tab.panel);
  }
  bar.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    const names = [...tabs.keys()];
    const at = names.findIndex((name) => tabs.get(name)?.button === document.activeElement);
    if (!step || at < 0) return;
    const next = names[(at + step + names.length) % names.length];
    open(next);
    tabs.get(next)?.button.focus();
  });
  document.title = `${about.directory} – studio`;
  showStatus(client);
  open(tabs.has(location.hash.slice(1)) ? location.hash.slice(1) : "Page");
  client.on("welcome", () => feed.askAnew());
  feed.run();
}

start().catch((error) => {
  const [main] = document.querySelectorAll("main");
  main.replaceChildren(make("p", { class: "bad empty" }, `The studio can't start: ${error.message}`));
});
