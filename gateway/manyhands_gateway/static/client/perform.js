// Has done by the page what handlers ask of it, where no code of the page's does it.

import { BASE } from "./base.js";
import { fail } from "./diagnostics.js";

/** One promise for all, so that things are done in their order. @type {Promise<any> | undefined} */
let acting;

/** @param {import("./wire.js").Dict} mail @param {URL} gateway */
export function perform(mail, gateway) {
  acting ??= import(new URL("page.mjs", BASE).href);
  acting.then(({ act }) => act(mail, gateway.href.replace(/^ws/, "http")), (error) => {
    acting = undefined;
    fail(error);
  });
}
