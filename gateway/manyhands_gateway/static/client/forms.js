// The fields of a form, as a payload.

import { payloadsOf } from "./files.js";
import { valueOf } from "./fields.js";

/** @typedef {import("./wire.js").Dict} Dict */

/**
 * Give a form's fields by name.
 * @param {import("./client.js").Client} client @param {HTMLFormElement} form @param {any} submitter the button that sent it
 * @param {import("./files.js").Progress} progress @returns {Promise<Dict>}
 */
export async function fieldsOf(client, form, submitter, progress) {
  /** @type {Dict} */
  const found = Object.create(null);
  const elements = /** @type {any[]} */ (Array.from(form.elements)).filter((one) => one.name && !one.matches(":disabled"));
  for (const element of elements) {
    const { name, type } = element;
    if (type === "radio") found[name] = element.checked ? element.value : found[name] ?? null;
    else if (type === "file") found[name] = await payloadsOf(client, element.files, progress);
    else if (type === "checkbox" && elements.filter((one) => one.name === name).length > 1) {
      found[name] = [...(found[name] ?? []), ...(element.checked ? [element.value] : [])];
    } else if (element === submitter || !["button", "submit", "reset", "image", "fieldset", "output"].includes(type)) {
      found[name] = valueOf(element);
    }
  }
  return found;
}
