// A text field for code: line numbers, indentation, and a mark where the syntax is wrong.

import { make } from "./dom.js";

const INDENT = "    ";
/** Keys that are held while another one is pressed. */
const HELD = ["Shift", "Control", "Alt", "AltGraph", "Meta"];

/** @typedef {{line: number, column: number, message: string}} SyntaxFault */
/** Where the cursor and the scrollbar are. @typedef {{from: number, to: number, top: number, left: number}} Spot */

export class Editor {
  #above = make("span");
  #wrong = make("span", { class: "wrong" });
  #below = make("span");
  #gutter = make("pre", { class: "gutter", "aria-hidden": "true" }, this.#above, this.#wrong, this.#below);
  #field = make("textarea", {
    class: "text", spellcheck: false, wrap: "off", autocapitalize: "off", "aria-label": "code", "aria-describedby": "editor-keys",
  });
  #fault = make("p", { class: "fault", role: "status" });
  #faultLine = 0;
  /** What the gutter shows: how many lines, and the wrong one. */
  #numbered = "";
  /** Set after Escape: then Tab leaves the field, for those who have no mouse. */
  #leaves = false;

  /** @param {() => void} changed @param {() => void} save */
  constructor(changed, save) {
    const keys = make("small", { id: "editor-keys", class: "keys" }, "Ctrl-S saves · Esc, then Tab, leaves the field");
    this.element = make("div", { class: "editor" }, make("div", { class: "lines" }, this.#gutter, this.#field), make("div", { class: "under" }, this.#fault, keys));
    this.#field.addEventListener("input", () => {
      this.#number();
      changed();
    });
    this.#field.addEventListener("scroll", () => (this.#gutter.scrollTop = this.#field.scrollTop));
    this.#field.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#press(event, save));
  }

  get text() {
    return this.#field.value;
  }

  /** Show a text, another one's or what has become of this one. @param {string} text */
  set text(text) {
    // What can be undone, and where the cursor is, stays unless there is something to show.
    if (text === this.#field.value) return;
    const { spot } = this;
    this.#field.value = text;
    this.#number();
    this.spot = spot;
  }

  /** @returns {Spot} */
  get spot() {
    const { selectionStart: from, selectionEnd: to, scrollTop: top, scrollLeft: left } = this.#field;
    return { from, to, top, left };
  }

  /** @param {Spot | null} spot null: the beginning */
  set spot(spot) {
    this.#field.setSelectionRange(spot?.from ?? 0, spot?.to ?? 0);
    this.#field.scrollTop = spot?.top ?? 0;
    this.#field.scrollLeft = spot?.left ?? 0;
  }

  /** @param {boolean} disabled */
  set disabled(disabled) {
    this.#field.disabled = disabled;
  }

  /** Show where the syntax is wrong; null: nowhere. @param {SyntaxFault | null} fault */
  showFault(fault) {
    this.#faultLine = fault?.line ?? 0;
    this.#fault.textContent = fault ? `line ${fault.line}, column ${fault.column}: ${fault.message}` : "";
    this.#number();
  }

  /** @param {number} line */
  goTo(line) {
    const begin = this.text.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    const end = this.text.indexOf("\n", begin);
    this.#field.focus();
    this.#field.setSelectionRange(begin, end < 0 ? this.text.length : end);
    const height = parseFloat(getComputedStyle(this.#field).lineHeight);
    this.#field.scrollTop = Math.max(0, (line - 4) * height);
    this.#field.scrollLeft = 0;
  }

  #number() {
    const { text } = this;
    let count = 1;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
    const wrong = Math.min(this.#faultLine, count);
    // Most keys change neither, and numbers of thousands of lines cost more than the key.
    if (this.#numbered !== `${count}/${wrong}`) {
      this.#numbered = `${count}/${wrong}`;
      this.#above.textContent = numbers(1, wrong ? wrong - 1 : count);
      this.#wrong.textContent = wrong ? `${wrong}\n` : "";
      this.#below.textContent = wrong ? numbers(wrong + 1, count) : "";
    }
    this.#gutter.scrollTop = this.#field.scrollTop;
  }

  /** @param {KeyboardEvent} event @param {() => void} save */
  #press(event, save) {
    // Enter may choose one of an input method's words, and Shift may come before the Tab that leaves.
    if (event.isComposing || HELD.includes(event.key)) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      event.preventDefault();
      save();
    } else if (event.key === "Tab" && !event.ctrlKey && !event.altKey && !event.metaKey && !this.#leaves) {
      event.preventDefault();
      this.#indent(event.shiftKey);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      this.#newLine();
    }
    this.#leaves = event.key === "Escape";
  }

  /** Indent the lines of the selection, or take an indent back. @param {boolean} back */
  #indent(back) {
    const { selectionStart: from, selectionEnd: to } = this.#field;
    const begin = this.text.lastIndexOf("\n", from - 1) + 1;
    if (from === to && !back) return this.#insert(" ".repeat(INDENT.length - ((from - begin) % INDENT.length)));
    // A selection that ends before the first character of a line does not mean that line.
    const end = to > from && this.text[to - 1] === "\n" ? to - 1 : to;
    const before = this.text.slice(begin, end);
    const indented = before.split("\n").map((/** @type {string} */ line) => (back ? line.replace(/^( {1,4}|\t)/, "") : line && INDENT + line)).join("\n");
    if (indented === before) return;
    this.#field.setSelectionRange(begin, end);
    this.#insert(indented);
    if (from !== to) this.#field.setSelectionRange(begin, begin + indented.length);
    else this.#field.setSelectionRange(...twice(Math.max(begin, from - (before.length - indented.length))));
  }

  #newLine() {
    const { selectionStart: at } = this.#field;
    const line = this.text.slice(this.text.lastIndexOf("\n", at - 1) + 1, at);
    const [indent] = /^[ \t]*/.exec(line) ?? [""];
    this.#insert(`\n${indent}${/:\s*(#.*)?$/.test(line) ? INDENT : ""}`);
  }

  /** Insert as if it were typed, so that it can be undone. @param {string} text */
  #insert(text) {
    if (text === "") document.execCommand("delete");
    else document.execCommand("insertText", false, text);
  }
}

/** @param {number} first @param {number} last */
function numbers(first, last) {
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}\n`).join("");
}

/** @param {number} at @returns {[number, number]} */
const twice = (at) => [at, at];
