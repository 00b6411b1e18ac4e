// What the studio asks its gateway for, over HTTP.

/** Where the client keeps the session that all pages of this origin share. */
const TOKEN = "manyhands.session";

/**
 * Ask for something; gives the JSON of the answer. Throws an Error with what the gateway says.
 * @param {string} method @param {string} path below the studio's @param {unknown} [body] @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function ask(method, path, body, signal) {
  const token = localStorage.getItem(TOKEN);
  const headers = {
    // Where a cookie carries the token, pages have a public name instead.
    ...(token && !token.startsWith("public-") && { Authorization: `Bearer ${token}` }),
    ...(body !== undefined && { "Content-Type": "application/json" }),
  };
  const text = body === undefined ? undefined : JSON.stringify(body);
  return read(await fetch(`/_mh/studio/${path}`, { method, headers, body: text, signal }));
}

/** @param {Response} answer */
async function read(answer) {
  const text = await answer.text();
  if (answer.ok) return JSON.parse(text);
  throw Object.assign(new Error(errorOf(text)), { status: answer.status });
}

/** @param {string} text */
function errorOf(text) {
  try { return JSON.parse(text).error; } catch { return text.trim() || "the gateway gave no reason"; }
}
