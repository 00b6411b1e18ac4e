// Below a line of the state's tree: a field for a value written as JSON, and for its key where one is added.

import { complain, make } from "./dom.js";

/**
 * `value`: as JSON, or null where a key is to be added; `save` is given null as the key where it is not.
 * @typedef {{label: string, value: string | null, canRemove: boolean, save: (key: string | null, value: unknown) => Promise<boolean>,
 *   remove: () => Promise<boolean>, closed: () => void}} About
 */

export class ValueEditor {
  #trouble = make("span", { role: "alert" });
  #key;
  #field;

  /** @param {About} about */
  constructor(about) {
    const { label, value, canRemove } = about;
    this.about = about;
    this.#key = value === null ? make("input", { "aria-label": `new key in ${label || "state"}`, placeholder: "key", spellcheck: false }) : null;
    this.#field = make("textarea", {
      value: value ?? "", rows: Math.min(8, Math.ceil((value ?? "").length / 60) || 1), placeholder: "value, as JSON", spellcheck: false,
      "aria-label": value === null ? `value of the new key in ${label || "state"}` : `new value of ${label}`,
    });
    const remove = canRemove ? make("button", { onclick: () => this.#close(about.remove()) }, `remove ${label}`) : null;
    this.element = make("div", { class: "row" }, this.#key, this.#field,
      make("button", { onclick: () => this.#save() }, "save"), make("button", { onclick: () => this.#close() }, "cancel"), remove, this.#trouble);
    this.element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") this.#close();
      const isField = event.target === this.#field || event.target === this.#key;
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || !isField) return;
      event.preventDefault();
      this.#save();
    });
  }

  focus() {
    const first = this.#key ?? this.#field;
    first.focus();
    first.select();
  }

  #save() {
    let value;
    try {
      value = JSON.parse(this.#field.value);
    } catch (error) {
      return complain(this.#trouble, `not JSON: ${/** @type {Error} */ (error).message}; write text in quotes`);
    }
    this.#close(this.about.save(this.#key ? this.#key.value : null, value));
  }

  /** Go, unless what was asked for is refused: then what was typed stays. @param {Promise<boolean>} [asked] */
  async #close(asked) {
    if (asked && !(await asked)) return;
    this.element.remove();
    this.about.closed();
  }
}
