// Binds elements to the state: each attribute watches its own path, and nothing else is touched when that changes.

import { WRITERS } from "./attributes.js";
import { checkId } from "./context.js";
import { advise, fail, tagOf } from "./diagnostics.js";
import { Field } from "./fields.js";
import { LATER } from "./later.js";
import { EVENTS, PARTS } from "./names.js";
import { Repeater } from "./repeater.js";
import { resolve, scopeOf } from "./scope.js";

/** @typedef {import("./client.js").Client} Client */
/** @typedef {import("./scope.js").Scope} Scope */
/** @typedef {import("./scope.js").Place} Place */
/** @typedef {import("./attributes.js").Write} Write */
/** What an element with such an attribute starts, and how that is stopped. @typedef {(element: any, handler: string) => (() => void) | void} Start */

export class Bindings {
  /** What ends each bound element's bindings. @type {WeakMap<globalThis.Node, (() => void)[]>} */
  #bound = new WeakMap();
  /** Paths that were found missing, as they are written. @type {Set<string>} */
  #missing = new Set();
  #hasState = false;

  /** @param {Client} client @param {{[kind: string]: Start}} starts by what follows `wf-` */
  constructor(client, starts) {
    this.client = client;
    this.starts = starts;
    client.on("welcome", () => (this.#hasState = true));
  }

  /** Bind what is in the document, and whatever comes later. @param {HTMLElement} root */
  follow(root) {
    this.bind(root);
    new MutationObserver((records) => {
      for (const { addedNodes, removedNodes } of records) {
        for (const node of removedNodes) if (!node.isConnected) this.unbind(node);
        for (const node of addedNodes) if (node.isConnected) this.bind(node);
      }
    }).observe(root, { childList: true, subtree: true });
  }

  /** Bind all elements at and below a node that are not bound yet. @param {globalThis.Node} root */
  bind(root) {
    for (const element of elementsOf(root)) {
      if (this.#bound.has(element)) continue;
      const names = element.getAttributeNames().filter((name) => name.startsWith("wf-"));
      if (!names.length) continue;
      /** @type {(() => void)[]} */
      const stops = [];
      this.#bound.set(element, stops);
      const scope = scopeOf(element);
      if (element.localName === "template") this.#repeat(/** @type {HTMLTemplateElement} */ (element), scope, stops);
      else for (const name of names) this.#bindAttribute(element, name, scope, stops);
    }
  }

  /** @param {globalThis.Node} root */
  unbind(root) {
    for (const element of elementsOf(root)) {
      for (const stop of this.#bound.get(element) ?? []) stop();
      this.#bound.delete(element);
    }
  }

  /** @param {HTMLTemplateElement} template @param {Scope | null} scope @param {(() => void)[]} stops */
  #repeat(template, scope, stops) {
    const place = resolve(template.getAttribute("wf-each") ?? "", scope);
    if (!place.path) return void advise("bad_binding", template);
    const repeater = new Repeater(this, template, scope, place.path);
    stops.push(this.#watch(place, template, repeater), () => repeater.dispose());
  }

  /** @param {Element} element @param {string} name @param {Scope | null} scope @param {(() => void)[]} stops */
  #bindAttribute(element, name, scope, stops) {
    const value = element.getAttribute(name) ?? "";
    const [kind, ...rest] = name.slice(3).split(":");
    if (EVENTS.includes(kind)) {
      checkId(element, kind);
      const stop = this.starts[kind]?.(element, value);
      if (stop) stops.push(stop);
    }
    if (Object.hasOwn(LATER, kind)) this.#bindLater(element, kind, resolve(value, scope), stops);
    else if (kind === "value" || kind === "model") this.#bindField(element, kind, resolve(value, scope), stops);
    else if (Object.hasOwn(WRITERS, kind)) {
      this.#bindWriter(element, WRITERS[kind](element, rest.join(":")), resolve(value, scope), stops);
    } else if (![...EVENTS, ...PARTS].includes(kind)) advise("unknown_attribute", element, name, kind);
  }

  /** @param {Element} element @param {Write | null | void} write @param {Place} place @param {(() => void)[]} stops */
  #bindWriter(element, write, place, stops) {
    if (write) stops.push(this.#watch(place, element, { call: () => write(this.#read(place)) }));
  }

  /** @param {Element} element @param {string} kind @param {Place} place @param {(() => void)[]} stops */
  async #bindLater(element, kind, place, stops) {
    const { [kind]: begin } = await LATER[kind]();
    // It may be gone by now.
    if (this.#bound.get(element) !== stops) return;
    this.#bindWriter(element, begin(element, { client: this.client, path: place.path, stops }), place, stops);
  }

  /** @param {Element} element @param {string} kind @param {Place} place @param {(() => void)[]} stops */
  #bindField(element, kind, place, stops) {
    const { path } = place;
    const show = kind === "model" && path ? (/** @type {any} */ now) => this.client.show(path, now) : null;
    const field = new Field(element, () => this.#read(place), show);
    stops.push(this.#watch(place, element, { call: () => field.refresh() }));
    // Not before what a repeater makes has its place.
    if (show) this.client.soon({ call: () => !isTold(element) && void advise("model_alone", element) });
  }

  /** @param {Place} place */
  #read({ path, constant, not }) {
    const value = path ? this.client.read(path) : constant;
    return not ? !value : value;
  }

  /**
   * Call a watcher now and whenever a path has changed; one whose element refuses its value, as `<progress>` does for
   * what is no number, keeps none of the others from theirs.
   * @param {Place} place @param {Element} element @param {{call: () => void}} watcher
   */
  #watch(place, element, watcher) {
    const { path } = place;
    const guarded = {
      call: () => {
        if (stopped) return;
        try {
          watcher.call();
        } catch (error) {
          fail("refused_value", `${tagOf(element)} can't show its value: ${error}`);
        }
        if (path && this.#hasState) this.#check(path, place.written, element);
      },
    };
    let stopped = false;
    const stop = path && this.client.watch(path, guarded);
    guarded.call();
    return () => {
      stopped = true;
      if (stop) stop();
    };
  }

  /** Say once of a path that nothing is there. @param {string[]} path @param {string} written @param {Element} element */
  #check(path, written, element) {
    const { client } = this;
    if (client.read(path) !== undefined || this.#missing.has(written)) return;
    const missing = path.findIndex((_, i) => client.read(path.slice(0, i + 1)) === undefined);
    const above = missing ? client.read(path.slice(0, missing)) : client.state;
    // What may come yet is no mistake: below None, in a list, in a room that the session is not in.
    const isAway = path[0].startsWith("@") && !client.shared[path[0].slice(1)];
    if (above === null || Array.isArray(above) || isAway) return;
    this.#missing.add(written);
    advise("no_path", element, written, path[missing], above);
  }
}

/** Tell whether a handler may hear of what is put into an input. @param {any} input */
const isTold = (input) => input.closest("[wf-change], [wf-change-finish]") || input.form?.hasAttribute("wf-submit");

/** @param {globalThis.Node} root */
function* elementsOf(root) {
  if (root instanceof Element) yield root;
  if (root instanceof Element || root instanceof DocumentFragment) yield* Array.from(root.querySelectorAll("*"));
}
