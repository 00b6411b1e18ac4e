// Makes elements. What is shown is always text, never HTML.

/** @typedef {{[name: string]: any}} Properties */

/**
 * Make an element: `class`, `aria-…`, `data-…` and `for` are attributes, everything else are properties.
 * @param {string} tag @param {Properties} [properties] @param {(Node | string | null | undefined)[]} children
 * @returns {any}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class" || name === "for" || name.includes("-") || name === "role") element.setAttribute(name, value);
    else Object.assign(element, { [name]: value });
  }
  for (const child of children) if (child !== null && child !== undefined) element.append(child);
  return element;
}

/** Show a message about something that went wrong, or nothing. @param {HTMLElement} where @param {unknown} [error] */
export function complain(where, error) {
  where.textContent = error === undefined ? "" : error instanceof Error ? error.message : String(error);
  where.classList.toggle("bad", error !== undefined);
}

/** Write milliseconds. @param {number} ms */
export function shownMs(ms) {
  return ms < 10 ? ms.toFixed(1) : String(Math.round(ms));
}
