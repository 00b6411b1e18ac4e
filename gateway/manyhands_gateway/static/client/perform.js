// Has done by the page what handlers ask of it, where no code of the page's does it.

/** @param {import("./wire.js").Dict} mail @param {URL} gateway */
export async function perform(mail, gateway) {
  // All wait for one promise, so that things are done in their order.
  const { act } = await import("./page.js");
  act(mail, gateway.href.replace(/^ws/, "http"));
}
