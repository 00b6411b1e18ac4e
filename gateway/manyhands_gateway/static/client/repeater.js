// <template wf-each="path">: its content once for each key of what is there, kept by key, so that what has the focus
// and what is half typed survives when others come and go.

import { isDict } from "./paths.js";
import { scopes } from "./scope.js";
import { fields } from "./fields.js";

/** @typedef {import("./scope.js").Scope} Scope */
/** @typedef {import("./bindings.js").Bindings} Bindings */
/** What stands for one key: all from the first node to the last. @typedef {{first: ChildNode, last: ChildNode}} Group */

export class Repeater {
  /** @type {Map<string, Group>} */
  #groups = new Map();

  /**
   * @param {Bindings} bindings @param {HTMLTemplateElement} template @param {Scope | null} outer
   * @param {string[]} path of what is repeated
   */
  constructor(bindings, template, outer, path) {
    this.bindings = bindings;
    this.template = template;
    this.outer = outer;
    this.path = path;
    this.keyName = template.getAttribute("wf-key") || "itemId";
    this.valueName = template.getAttribute("wf-value") || "item";
    this.end = document.createComment("wf-each");
    template.after(this.end);
  }

  call() {
    const value = this.bindings.client.read(this.path);
    const keys = isDict(value) || Array.isArray(value) ? Object.keys(value) : [];
    const wanted = new Set(keys);
    for (const key of this.#groups.keys()) if (!wanted.has(key)) this.#remove(key);
    this.#place(keys.map((key) => this.#groups.get(key) ?? this.#make(key)));
    const select = this.template.closest("select");
    if (select) fields.get(select)?.refresh();
  }

  dispose() {
    for (const key of this.#groups.keys()) this.#remove(key);
    this.end.remove();
  }

  /** @param {string} key @returns {Group} */
  #make(key) {
    const { outer, path, keyName, valueName } = this;
    const content = /** @type {DocumentFragment} */ (document.importNode(this.template.content, true));
    // Nodes that stay whatever repeaters in the content put between them.
    content.append(document.createComment(""));
    for (const node of content.childNodes) scopes.set(node, { outer, path, key, keyName, valueName });
    this.bindings.bind(content);
    const group = { first: /** @type {ChildNode} */ (content.firstChild), last: /** @type {ChildNode} */ (content.lastChild) };
    this.#groups.set(key, group);
    return group;
  }

  /** @param {string} key */
  #remove(key) {
    for (const node of nodesOf(/** @type {Group} */ (this.#groups.get(key)))) {
      this.bindings.unbind(node);
      node.remove();
    }
    this.#groups.delete(key);
  }

  /** Bring the groups into order. The one with the focus stays where it is: moved, it would lose it. @param {Group[]} groups */
  #place(groups) {
    const focused = document.activeElement;
    const fixed = groups.findIndex((group) => nodesOf(group).some((node) => focused && node.contains(focused)));
    /** @type {ChildNode} */
    let next = this.end;
    for (let i = groups.length - 1; i >= 0; i--) {
      if (i !== fixed && groups[i].last.nextSibling !== next) next.before(...nodesOf(groups[i]));
      next = groups[i].first;
    }
  }
}

/** @param {Group} group @returns {ChildNode[]} */
function nodesOf({ first, last }) {
  const nodes = [first];
  for (let node = first; node !== last; nodes.push(node)) node = /** @type {ChildNode} */ (node.nextSibling);
  return nodes;
}
