// Changes of inputs, quicker than they are answered: one event of an input runs at a time, and then the newest value.

import { fireFrom } from "./context.js";
import { fields } from "./fields.js";

/** @typedef {import("./client.js").Client} Client */
/** `element` hears of what is put into `input`. @typedef {{input: Element, element: Element, kind: string, fired: import("./fired.js").Fired | null, next: {payload: any} | null}} Line */

export class Typing {
  /** @type {Map<Element, Line[]>} */
  #lines = new Map();

  /** @param {Client} client */
  constructor(client) {
    this.client = client;
    // A page that goes away leaves nothing behind that was typed.
    client.on("leaving", () => this.flush());
  }

  /** @param {Element} input @param {Element} element @param {string} kind @param {any} payload */
  change(input, element, kind, payload) {
    const lines = this.#lines.get(input) ?? [];
    this.#lines.set(input, lines);
    let line = lines.find((one) => one.kind === kind);
    if (!line) lines.push((line = { input, element, kind, fired: null, next: null }));
    if (!line.fired) this.#fire(line, payload);
    else if (!this.client.amend(line.fired, payload)) line.next = { payload };
  }

  /** Fire what waits: another event is to find everything that was typed before it. */
  flush() {
    for (const line of Array.from(this.#lines.values()).flat()) {
      if (line.next) this.#fire(line, line.next.payload);
    }
  }

  /** @param {Line} line @param {any} payload @returns {Promise<void>} */
  async #fire(line, payload) {
    line.next = null;
    const fired = (line.fired = fireFrom(this.client, line.element, line.kind, payload));
    await fired;
    if (line.fired !== fired) return;
    line.fired = null;
    if (line.next) return this.#fire(line, /** @type {{payload: any}} */ (line.next).payload);
    const lines = /** @type {Line[]} */ (this.#lines.get(line.input));
    if (lines.some((one) => one.fired)) return;
    this.#lines.delete(line.input);
    // What is half typed in a form waits until that is sent.
    if (!line.element.hasAttribute("wf-submit")) fields.get(line.input)?.answered();
  }
}
