// One place of a state, as an element that is kept while values change, so that what is open or edited stays so.

import { complain, make } from "./dom.js";

/** Characters of a value that are shown on one line. */
const LONGEST = 2000;

export class TreeNode {
  /** @type {Map<string, TreeNode>} */
  #below = new Map();
  #shown = "";
  /** Whether it has shown a value: what it begins with does not flash. */
  #seen = false;
  /** @type {HTMLElement | null} */
  #editor = null;
  #value = make("code", { class: "value" });
  #list = make("ul", { class: "tree" });
  #edit;
  #line;

  /** @param {string[]} path @param {(path: string[], value: unknown) => void} save */
  constructor(path, save) {
    this.path = path;
    this.save = save;
    const name = path.length ? path[path.length - 1] : "state";
    this.#edit = make("button", { class: "link", "aria-label": `edit ${path.join(".")}`, onclick: () => this.#open() }, "edit");
    this.#line = make("div", { class: "row line" }, make("span", { class: "key" }, name), this.#value, this.#edit);
    this.element = make("li", { "data-path": path.join(".") }, this.#line, this.#list);
  }

  /** Show a value; what differs from before flashes. @param {any} value */
  show(value) {
    const isDict = typeof value === "object" && value !== null && !Array.isArray(value) && !("$blob" in value) && !("$bytes" in value);
    this.#edit.hidden = isDict;
    this.#list.hidden = !isDict;
    if (isDict) this.#showBelow(value);
    else this.#showBelow({});
    const text = isDict ? (Object.keys(value).length ? "" : "{}") : textOf(value);
    if (this.#seen && text !== this.#shown) this.#flash();
    this.#seen = true;
    this.#shown = text;
    this.#value.textContent = text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text;
  }

  /** @param {{[name: string]: any}} value */
  #showBelow(value) {
    for (const [name, node] of this.#below) {
      if (Object.hasOwn(value, name)) continue;
      node.element.remove();
      this.#below.delete(name);
    }
    Object.entries(value).forEach(([name, item], index) => {
      let node = this.#below.get(name);
      const isNew = !node;
      if (!node) this.#below.set(name, (node = new TreeNode([...this.path, name], this.save)));
      if (this.#list.children[index] !== node.element) this.#list.insertBefore(node.element, this.#list.children[index] ?? null);
      node.show(item);
      if (isNew && this.#seen) node.#flash();
    });
  }

  #flash() {
    this.#line.classList.remove("flash");
    void this.#line.offsetWidth; // begins the animation anew
    this.#line.classList.add("flash");
  }

  #open() {
    if (this.#editor) return;
    const field = make("textarea", { value: this.#shown, rows: Math.min(8, this.#shown.split("\n").length), "aria-label": `new value of ${this.path.join(".")}`, spellcheck: false });
    const trouble = make("span", { role: "alert" });
    const close = () => { this.#editor?.remove(); this.#editor = null; };
    const save = () => {
      try {
        this.save(this.path, JSON.parse(field.value));
        close();
      } catch (error) {
        complain(trouble, `not JSON: ${/** @type {Error} */ (error).message}; write text in quotes`);
      }
    };
    field.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") close();
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); save(); }
    });
    this.#editor = make("div", { class: "row" }, field, make("button", { onclick: save }, "save"), make("button", { onclick: close }, "cancel"), trouble);
    this.#line.after(this.#editor);
    field.select();
  }
}

/** @param {any} value */
function textOf(value) {
  if (value && typeof value === "object" && "$blob" in value) return `a large value, ${value.size ?? "many"} bytes`;
  return JSON.stringify(value);
}
