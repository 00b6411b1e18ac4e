// What programs import, and the page's own client where a <script> of the page has asked for it.

import { BASE } from "./base.js";
import { Bindings } from "./bindings.js";
import { Client } from "./client.js";
import { listen } from "./events.js";
import { showStatus } from "./status.js";

/**
 * Connect to a gateway. See docs/client.md.
 * @param {import("./client.js").Options} [options]
 */
export function connect(options) {
  return new Client(options);
}

/** Connect the elements of this page. @param {DOMStringMap} options what the <script> says with data-… */
function startPage({ session, protocol, lifetime }) {
  const client = new Client({ session, protocol, lifetime: Number(lifetime) || undefined });
  Object.defineProperty(window, "manyhands", { value: client });
  const bind = () => {
    showStatus(client);
    new Bindings(client, listen(client)).follow(document.documentElement);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", bind);
  else bind();
}

const ours = Array.from(document.scripts).find(({ src }) => src === BASE);
if (ours && !("manyhands" in window)) startPage(ours.dataset);
