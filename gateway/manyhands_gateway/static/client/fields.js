// Inputs that show a value: never under the user's fingers, and nothing typed is overwritten before it was answered.

import { text } from "./attributes.js";

/** Inputs in which the user is at a text. */
const HELD = ":is(input:not([type=checkbox], [type=radio], [type=range]), textarea):focus";
/** Inputs whose value is a number. */
const NUMBERS = new Set(["number", "range"]);

/** @typedef {any} Input an `<input>`, `<select>` or `<textarea>` */

/** Give what the user has put in, as an event's payload. @param {Input} input */
export function valueOf(input) {
  if (NUMBERS.has(input.type)) return Number.isNaN(input.valueAsNumber) ? null : input.valueAsNumber;
  if (input.type === "checkbox") return input.checked;
  if (input.type === "select-multiple") return Array.from(input.selectedOptions, (option) => option.value);
  return input.value ?? null;
}

/** @param {Input} input @param {any} value */
function writeField(input, value) {
  const now = text(value);
  if (input.type === "checkbox") input.checked = Array.isArray(value) ? value.includes(input.value) : Boolean(value);
  else if (input.type === "radio") input.checked = now === input.value;
  else if (!now && input.localName === "progress") input.removeAttribute("value");
  else if (input.type === "select-multiple") {
    for (const option of input.options) option.selected = Array.isArray(value) && value.map(text).includes(option.value);
    // Of a number, "1.0" says it already, too. A bar of which nobody knows how far it is would say 0.
  } else if (!(NUMBERS.has(input.type) && valueOf(input) === value) && input.value !== now) input.value = now;
}

/** The field of each input that shows a value. @type {WeakMap<Element, Field>} */
export const fields = new WeakMap();

export class Field {
  /** What was typed and is not answered yet stays. */
  typed = false;
  /** An input method is at it. */
  composed = false;
  #skipped = false;

  /**
   * @param {Input} input @param {() => any} read gives what the state has
   * @param {((value: any) => void) | null} show lets the page's other elements show at once what is typed; null unless two-way
   */
  constructor(input, read, show) {
    this.input = input;
    this.read = read;
    this.show = show;
    fields.set(input, this);
  }

  /** Show what the state has, unless the user is at it. */
  refresh() {
    const busy = this.typed || this.composed || (!this.show && this.input.matches(HELD));
    this.#skipped = busy;
    if (!busy) writeField(this.input, this.read());
  }

  /** Take note that the user has changed it. */
  change() {
    this.typed = true;
    this.show?.(valueOf(this.input));
  }

  /** Take note that what was typed is answered. */
  answered() {
    this.typed = false;
    this.refresh();
  }

  /** Catch up with what was not shown while the user was at it. */
  left() {
    // The focus is still here while its going is told.
    if (this.#skipped) queueMicrotask(() => this.refresh());
  }
}
