// Shows the connection's state: as data-mh-status of <html>, for the page's style, and in words where it matters.

/** @typedef {import("./client.js").Client} Client */

/** Milliseconds without a connection before it is said: a page that opens, or a gateway that restarts, is quicker. */
const PATIENCE = 1500;

/** Without weight, so that any rule of the page's own wins. */
const STYLE = `
:where(.mh-status) {
  position: fixed; inset: auto 1rem 1rem; margin: auto; width: fit-content; z-index: 99999; padding: 0.4rem 1rem;
  border: 1px solid; border-radius: 0.6rem; font: 0.875rem system-ui; overflow-wrap: anywhere; color: CanvasText;
  background: Canvas; pointer-events: none;
}
:where(.mh-status:empty) { display: none; }
[wf-show][hidden] { display: none !important; }
`;

/** @param {Client} client */
function words(client) {
  const { status, unsent, reason } = client;
  if (status === "closed") return reason && `Not connected: ${reason}. Reload the page to try again.`;
  if (status === "open") return "";
  return "Not connected. Trying again …" + (unsent ? ` What you did (${unsent}) is sent then.` : "");
}

/** @param {Client} client */
export function showStatus(client) {
  // Unlike a <style>, it needs no leave from the page's Content-Security-Policy.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  document.adoptedStyleSheets.push(sheet);
  const box = Object.assign(document.createElement("div"), { className: "mh-status" });
  box.setAttribute("role", "status");
  document.body.append(box);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function update() {
    document.documentElement.dataset.mhStatus = client.status;
    if (client.status !== "connecting") {
      clearTimeout(timer);
      timer = undefined;
      box.textContent = words(client);
    } else if (box.textContent) box.textContent = words(client);
    else timer ??= setTimeout(() => (box.textContent = words(client)), PATIENCE);
  }

  update();
  client.on("status", update);
  client.on("unsent", update);
}
