// Has done by the page what handlers ask of it, where no code of the page's does it.

import { BASE } from "./base.js";
import { fail } from "./diagnostics.js";

/** @param {import("./wire.js").Dict} mail @param {URL} gateway */
export function perform(mail, gateway) {
  // From a variable, so that nothing looks for it beside this file.
  const page = new URL("page.mjs", BASE).href;
  import(page).then(({ act }) => act(mail, gateway.href.replace(/^ws/, "http")), fail);
}
