// One place of a state, as an element that is kept while values change, so that what is open or edited stays so.

import { make } from "./dom.js";
import { ValueEditor } from "./value_editor.js";

/** Characters of a value that are shown on one line, and that are shown where it stands alone. */
const SHORT = 80;
const LONGEST = 2000;
/** Keys that are shown at once; of more, those that are asked for. */
const STEP = 100;
/** Keys up to which a dict is open to begin with, down to so many levels. */
const FEW = 30;
const DEEP = 4;

/** Where a place is: in a room's state, or, null, in the session's own. @typedef {{room: string | null, path: string[]}} Place */
/** Assign a value, or with `remove` take away what is there; gives whether that was taken. @typedef {(place: Place, act: {value: unknown} | {remove: true}) => Promise<boolean>} Save */

export class TreeNode {
  /** @type {Map<string, TreeNode>} */
  #below = new Map();
  /** @type {any} */
  #value;
  /** Whether it has shown a value: what it begins with does not flash. */
  #seen = false;
  /** Whether what is below is shown; null: nobody has said. @type {boolean | null} */
  #open = null;
  #most = STEP;
  /** @type {ValueEditor | null} */
  #editor = null;
  #text = make("code", { class: "value" });
  #list = make("ul", { class: "tree" });
  #toggle;
  #change;
  #more;
  #line;

  /** @param {Place} place @param {Save} save @param {boolean} [isItem] whether it lies in a list, which is edited as a whole */
  constructor(place, save, isItem = false) {
    this.place = place;
    this.save = save;
    this.isItem = isItem;
    const { room, path } = place;
    this.label = [...(room === null ? [] : [`@${room}`]), ...path].join(".");
    const name = path.length ? path[path.length - 1] || '""' : room === null ? "state" : `@${room}`;
    this.#toggle = make("button", { class: "toggle", "aria-label": `what is in ${this.label || "state"}`, onclick: () => this.#turn(this.#toggle.getAttribute("aria-expanded") === "false") });
    this.#change = make("button", { class: "link", onclick: () => this.#edit() });
    this.#more = make("button", { class: "link", onclick: () => { this.#most += 10 * STEP; this.#draw(); } });
    this.#line = make("div", { class: "row line" }, this.#toggle, make("span", { class: "key" }, name), this.#text, this.#change);
    this.element = make("li", { "data-path": this.label }, this.#line, this.#list, this.#more);
  }

  /** Show a value; what differs from before flashes. @param {any} value */
  show(value) {
    const isNew = !this.#seen;
    const wasBelow = !isNew && holds(this.#value) && this.#isOpen;
    // What is open flashes where it differs.
    const differs = !isNew && !(wasBelow && holds(value)) && !isEqual(this.#value, value);
    this.#value = value;
    this.#seen = true;
    this.#draw();
    if (differs) this.flash();
  }

  flash() {
    this.#line.classList.remove("flash");
    void this.#line.offsetWidth; // begins the animation anew
    this.#line.classList.add("flash");
  }

  get #isOpen() {
    return this.#open ?? (isDict(this.#value) && (!this.place.path.length || (Object.keys(this.#value).length <= FEW && this.place.path.length < DEEP && JSON.stringify(this.#value).length < SHORT * FEW)));
  }

  /** @param {boolean} open */
  #turn(open) {
    this.#open = open;
    this.#draw();
  }

  #draw() {
    const value = this.#value;
    const isOpen = holds(value) && this.#isOpen;
    this.#toggle.hidden = !holds(value);
    this.#toggle.setAttribute("aria-expanded", String(isOpen));
    this.#change.hidden = this.isItem;
    this.#change.textContent = isDict(value) ? "add" : "edit";
    this.#change.setAttribute("aria-label", `${this.#change.textContent} ${this.label}`);
    this.#text.textContent = isDict(value) ? countOf(value, isOpen) : textOf(value, LONGEST);
    this.#showBelow(isOpen ? Object.keys(value) : []);
  }

  /** @param {string[]} names */
  #showBelow(names) {
    const shown = names.slice(0, this.#most);
    const wanted = new Set(shown);
    for (const [name, node] of this.#below) {
      if (wanted.has(name)) continue;
      node.element.remove();
      this.#below.delete(name);
    }
    const hadSome = this.#below.size > 0;
    shown.forEach((name, index) => {
      let node = this.#below.get(name);
      const isNew = !node;
      if (!node) {
        const { room, path } = this.place;
        this.#below.set(name, (node = new TreeNode({ room, path: [...path, name] }, this.save, this.isItem || !isDict(this.#value))));
      }
      if (this.#list.children[index] !== node.element) this.#list.insertBefore(node.element, this.#list.children[index] ?? null);
      node.show(this.#value[name]);
      if (isNew && hadSome) node.flash();
    });
    this.#list.hidden = !shown.length;
    this.#more.hidden = shown.length === names.length;
    this.#more.textContent = `${names.length - shown.length} more`;
  }

  #edit() {
    if (this.#editor) return this.#editor.focus();
    const { room, path } = this.place;
    const adds = isDict(this.#value);
    this.#editor = new ValueEditor({
      label: this.label,
      value: adds ? null : JSON.stringify(this.#value),
      canRemove: path.length > 0,
      save: (key, value) => this.save({ room, path: key === null ? path : [...path, key] }, { value }),
      remove: () => this.save(this.place, { remove: true }),
      closed: () => { this.#editor = null; this.#change.focus(); },
    });
    this.#line.after(this.#editor.element);
    this.#editor.focus();
  }
}

/** @param {any} value */
function isDict(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !("$blob" in value) && !("$bytes" in value);
}

/** Tell whether a value has something that can be shown below it. @param {any} value */
function holds(value) {
  if (Array.isArray(value)) return value.some((item) => typeof item === "object" && item !== null) || (value.length > 0 && JSON.stringify(value).length > SHORT);
  return isDict(value) && Object.keys(value).length > 0;
}

/** @param {any} dict @param {boolean} isOpen */
function countOf(dict, isOpen) {
  const count = Object.keys(dict).length;
  return !count ? "{}" : isOpen ? "" : `{ ${count} ${count === 1 ? "key" : "keys"} }`;
}

/** @param {any} value @param {number} most */
function textOf(value, most) {
  if (value && typeof value === "object" && "$blob" in value) return `a large value, ${value.size ?? "many"} bytes`;
  const text = JSON.stringify(value) ?? "";
  return text.length > most ? `${text.slice(0, most)} … (${text.length} characters)` : text;
}

/** @param {any} one @param {any} other @returns {boolean} */
function isEqual(one, other) {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other || Array.isArray(one) !== Array.isArray(other)) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => Object.hasOwn(other, key) && isEqual(one[key], other[key]));
}
