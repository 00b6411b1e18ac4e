// What stands behind # in the address: #page/name=value&name=value.

/** @param {string} hash @returns {{page: string, vars: {[name: string]: string}}} */
export function readRoute(hash) {
  const [page, ...rest] = hash.replace(/^#/, "").split("/");
  const pairs = rest.join("/").split("&").filter(Boolean).map((pair) => pair.split(/=(.*)/s).map(unescaped));
  return { page: unescaped(page), vars: Object.fromEntries(pairs.map(([name, value = ""]) => [name, value])) };
}

/** @param {string} text */
function unescaped(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}
