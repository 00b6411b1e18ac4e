// The fields of a form, as a payload.

import { readFiles } from "./files.js";
import { valueOf } from "./fields.js";
import { put } from "./paths.js";

/** @typedef {import("./wire.js").Dict} Dict */

/** Give a form's fields by name. @param {HTMLFormElement} form @param {any} submitter the button that sent it @returns {Promise<Dict>} */
export async function fieldsOf(form, submitter) {
  /** @type {Dict} */
  const found = {};
  const elements = /** @type {any[]} */ (Array.from(form.elements)).filter((one) => one.name && !one.matches(":disabled"));
  for (const element of elements) {
    const { name, type } = element;
    if (type === "radio") put(found, name, element.checked ? element.value : found[name] ?? null);
    else if (type === "file") put(found, name, await readFiles(element.files));
    else if (type === "checkbox" && elements.filter((one) => one.name === name).length > 1) {
      put(found, name, [...(found[name] ?? []), ...(element.checked ? [element.value] : [])]);
    } else if (element === submitter || !["button", "submit", "reset", "image", "fieldset", "output"].includes(type)) {
      put(found, name, valueOf(element));
    }
  }
  return found;
}
