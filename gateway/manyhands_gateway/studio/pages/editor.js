// A text field for code: line numbers, indentation, and a mark where the syntax is wrong.

import { make } from "./dom.js";

const INDENT = "    ";

/** @typedef {{line: number, column: number, message: string}} SyntaxFault */

export class Editor {
  #gutter = make("pre", { class: "gutter", "aria-hidden": "true" });
  #field = make("textarea", { class: "text", spellcheck: false, wrap: "off", autocapitalize: "off", "aria-label": "code" });
  #fault = make("p", { class: "fault", role: "status" });
  #faultLine = 0;

  /** @param {() => void} changed @param {() => void} save */
  constructor(changed, save) {
    this.element = make("div", { class: "editor" }, make("div", { class: "lines" }, this.#gutter, this.#field), this.#fault);
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

  set text(text) {
    this.#field.value = text;
    this.#field.scrollTop = 0;
    this.#number();
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
  }

  #number() {
    const count = this.text.split("\n").length;
    const lines = Array.from({ length: count }, (_, index) =>
      make("span", index + 1 === this.#faultLine ? { class: "wrong" } : {}, `${index + 1}\n`));
    this.#gutter.replaceChildren(...lines);
    this.#gutter.scrollTop = this.#field.scrollTop;
  }

  /** @param {KeyboardEvent} event @param {() => void} save */
  #press(event, save) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      event.preventDefault();
      save();
    } else if (event.key === "Tab" && !event.ctrlKey && !event.altKey && !this.#leaves) {
      event.preventDefault();
      this.#indent(event.shiftKey);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.#newLine();
    }
    // After Escape, Tab leaves the field, for those who have no mouse.
    this.#leaves = event.key === "Escape";
  }

  #leaves = false;

  /** Indent the lines of the selection, or take an indent back. @param {boolean} back */
  #indent(back) {
    const { selectionStart: from, selectionEnd: to } = this.#field;
    const begin = this.text.lastIndexOf("\n", from - 1) + 1;
    if (from === to && !back) return this.#insert(" ".repeat(INDENT.length - ((from - begin) % INDENT.length)));
    const lines = this.text.slice(begin, to).split("\n");
    const indented = lines.map((/** @type {string} */ line) => (back ? line.replace(/^( {1,4}|\t)/, "") : line && INDENT + line)).join("\n");
    this.#field.setSelectionRange(begin, to);
    this.#insert(indented);
    if (from !== to) this.#field.setSelectionRange(begin, begin + indented.length);
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
