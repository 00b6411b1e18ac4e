// The session that the studio is in: the one that the app's page has in this browser.

/** @typedef {import("../../static/client/client.js").Client} Client */

/** @returns {Promise<Client>} */
export async function joinSession() {
  // The frame of the app's page is in the same tab, and keeps what it has not sent under the first name; so the studio
  // must not take it, while both share the session's token.
  /** @type {any} */ (window).manyhandsNames = { manyhands: 100 };
  const client = "/_mh/client.mjs";
  const { connect } = await import(client);
  return connect({ session: "shared" });
}

/** Show in the head whether there is a session. @param {Client} client */
export function showStatus(client) {
  const shown = /** @type {HTMLElement} */ (document.getElementById("status"));
  const show = () => {
    document.documentElement.dataset.status = client.status;
    shown.textContent = client.status === "open" ? "in session" : client.status === "closed" ? client.reason : "connecting …";
  };
  client.on("status", show);
  show();
}
