// What the names in an element's attributes mean: paths into the state, or the key and value of a repeater around it.

import { parsePath } from "./paths.js";

/**
 * One repeater around an element: it stands for the value at `key` in what lies at `path`.
 * @typedef {{outer: Scope | null, path: string[], key: string, keyName: string, valueName: string}} Scope
 */
/**
 * A place in the state, or a constant, and how the page spells it; `not`: its opposite is meant.
 * @typedef {{path: string[] | null, constant?: string, not: boolean, written: string}} Place
 */

/** The scopes of what repeaters have made. @type {WeakMap<globalThis.Node, Scope>} */
export const scopes = new WeakMap();

/** @param {globalThis.Node | null} node @returns {Scope | null} */
export function scopeOf(node) {
  for (; node; node = node.parentNode) {
    const scope = scopes.get(node);
    if (scope) return scope;
  }
  return null;
}

/** @param {string} written @param {Scope | null} scope @returns {Place} */
export function resolve(written, scope) {
  const not = written.startsWith("!");
  if (not) written = written.slice(1);
  const path = parsePath(written);
  for (; scope; scope = scope.outer) {
    if (path[0] === scope.keyName) return { path: null, constant: scope.key, not, written };
    if (path[0] === scope.valueName) return { path: [...scope.path, scope.key, ...path.slice(1)], not, written };
  }
  return { path, not, written };
}

/** Describe the repeaters around an element, the outermost first, as an event's context does. @param {Scope | null} scope */
export function repeaters(scope) {
  const found = [];
  for (; scope; scope = scope.outer) {
    found.unshift({ state: scope.path, key: scope.key, keyVariable: scope.keyName, valueVariable: scope.valueName });
  }
  return found;
}
