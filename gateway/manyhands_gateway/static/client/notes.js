// Notifications: read out by assistive technology, dismissed by a click or by Escape, and styled by any rule of the page's.

/** @typedef {{kind: string, title: string, message: string}} Note */

/** Milliseconds after which what is good to know goes by itself, unless the pointer or the focus is on it; what warns stays. */
const PASSES = 10_000;
/** Milliseconds between a live region and its first text, so that screen readers know it. */
const HEARD = 100;
/** Of more than so many the oldest go. */
const MOST_NOTES = 6;

/** By kind: what it is called, and a sign that needs no colour. @type {{[kind: string]: [string, string]}} */
const KINDS = {
  info: ["Information", "i"], success: ["Success", "\u2713"], warning: ["Warning", "!"], error: ["Error", "\u00d7"],
};

/** Without weight, so that any rule of the page's own wins. */
const NOTES_STYLE = `
:where(.mh-notes) {
  position: fixed; inset: 1rem 1rem auto auto; z-index: 99998; width: min(24rem, 100vw - 2rem); max-height: calc(100vh - 2rem);
  overflow-y: auto; font: 0.9375rem/1.4 system-ui;
}
:where(.mh-note) {
  display: grid; grid-template-columns: auto 1fr auto; gap: 0.25rem 0.75rem; align-items: start; margin-bottom: 0.5rem;
  padding: 0.75rem; border: 1px solid color-mix(in srgb, CanvasText 25%, Canvas); border-left: 0.25rem solid var(--mh-kind);
  border-radius: 0.5rem; background: Canvas; color: CanvasText; overflow-wrap: anywhere;
}
:where(.mh-info) { --mh-kind: #3b82f6; }
:where(.mh-success) { --mh-kind: #16a34a; }
:where(.mh-warning) { --mh-kind: #d97706; }
:where(.mh-error) { --mh-kind: #dc2626; }
:where(.mh-sign) { width: 1.4em; border-radius: 50%; background: var(--mh-kind); color: #fff; font-weight: bold; text-align: center; }
:where(.mh-note p) { margin: 0; white-space: pre-line; }
:where(.mh-note .mh-title) { font-weight: 600; }
:where(.mh-note .mh-message:empty) { display: none; }
:where(.mh-note button) {
  min-width: 1.75rem; min-height: 1.75rem; margin: -0.25rem; border: 0; border-radius: 0.25rem; background: none; color: inherit;
  font: inherit; cursor: pointer;
}
:where(.mh-note button:hover) { background: color-mix(in srgb, CanvasText 12%, Canvas); }
@media (prefers-reduced-motion: no-preference) {
  :where(.mh-note) { animation: mh-note 0.2s ease-out; }
  @keyframes mh-note { from { opacity: 0; transform: translateY(-0.5rem); } }
}
`;

/** The regions by their roles, once there are some. @type {{[role: string]: HTMLElement} | null} */
let regions = null;
/** The notifications, the oldest first; some may have gone. @type {HTMLElement[]} */
let shown = [];

/** @param {Note} note */
export function showNote({ kind, title, message }) {
  regions ??= makeRegions();
  const region = regions[kind === "warning" || kind === "error" ? "alert" : "status"];
  setTimeout(() => {
    const note = makeNote(kind, title, message);
    shown = [...shown.filter((one) => one.isConnected), note];
    if (shown.length > MOST_NOTES) shown[0].remove();
    region.append(note);
  }, HEARD);
}

function makeRegions() {
  // Unlike a <style>, it needs no leave from the page's Content-Security-Policy.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(NOTES_STYLE);
  document.adoptedStyleSheets.push(sheet);
  const box = make("section", "mh-notes");
  box.setAttribute("aria-label", "Notifications");
  const [alert, status] = ["alert", "status"].map((role) => {
    const region = make("div", "");
    region.setAttribute("role", role);
    region.setAttribute("aria-atomic", "false");
    box.append(region);
    return region;
  });
  document.body.append(box);
  return { alert, status };
}

/** @param {string} kind @param {string} title @param {string} message */
function makeNote(kind, title, message) {
  const [called, drawn] = KINDS[kind] ?? KINDS.info;
  const note = make("div", `mh-note mh-${kind}`);
  const sign = make("span", "mh-sign", drawn);
  sign.setAttribute("role", "img");
  sign.setAttribute("aria-label", called);
  const text = make("div", "");
  text.append(make("p", "mh-title", title), make("p", "mh-message", message));
  const button = /** @type {HTMLButtonElement} */ (make("button", "", "\u00d7"));
  button.type = "button";
  button.setAttribute("aria-label", `Dismiss: ${title}`);
  button.addEventListener("click", () => dismiss(note));
  note.addEventListener("keydown", (event) => event.key === "Escape" && dismiss(note));
  note.append(sign, text, button);
  if (kind === "info" || kind === "success") passBy(note);
  return note;
}

/** Take a notification away, and leave the focus, where it was on it, on the next one. @param {HTMLElement} note */
function dismiss(note) {
  const had = note.contains(document.activeElement);
  note.remove();
  if (had) /** @type {HTMLElement | null} */ (document.querySelector(".mh-note button"))?.focus();
}

/** @param {HTMLElement} note */
function passBy(note) {
  const timer = setInterval(() => {
    if (note.matches(":hover, :focus-within")) return;
    clearInterval(timer);
    note.remove();
  }, PASSES);
}

/** @param {string} tag @param {string} name of its class @param {string} [text] */
function make(tag, name, text = "") {
  return Object.assign(document.createElement(tag), { className: name, textContent: text });
}
