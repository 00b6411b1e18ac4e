// What a tab remembers, and who it is.

/** Storage that falls back to memory where the browser forbids it or it is full. @param {() => Storage} storage */
function keeper(storage) {
  /** @type {Map<string, string>} */
  const memory = new Map();
  return {
    /** @param {string} key */
    get(key) {
      try { return storage().getItem(key); } catch { return memory.get(key) ?? null; }
    },
    /** @param {string} key @param {string | null} value */
    set(key, value) {
      if (value === null) memory.delete(key); else memory.set(key, value);
      try {
        if (value === null) storage().removeItem(key); else storage().setItem(key, value);
      } catch { /* memory has it */ }
    },
  };
}

const ofOrigin = keeper(() => localStorage);
export const ofTab = keeper(() => sessionStorage);

/** Give a name under which nobody else on this page keeps things; the same one after a reload. @param {string} name */
export function uniqueName(name) {
  // The page may have loaded this file twice, as a script and as a module.
  const taken = (/** @type {any} */ (window).manyhandsNames ??= {});
  const count = (taken[name] = (taken[name] ?? 0) + 1);
  return count === 1 ? name : `${name}.${count}`;
}

/**
 * Give the id of this tab, a client of its own. A duplicated tab inherits the storage of the tab it was made from, so
 * the id is kept over a reload only.
 * @param {string} name
 */
export function clientId(name) {
  const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  const kept = navigation?.type === "reload" ? ofTab.get(name) : null;
  if (kept) return kept;
  const random = crypto.getRandomValues(new Uint8Array(16));
  const made = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  ofTab.set(name, made);
  return made;
}

/**
 * Give where a session's token is kept: by all tabs of the origin, by this tab, or nowhere, where the author gave it.
 * @param {string} session `shared`, `tab`, or a token @param {string} prefix of this gateway @param {string} name of this client
 */
export function keepToken(session, prefix, name) {
  const [keeper, key] = session === "tab" ? [ofTab, `${name}.session`] : [ofOrigin, `${prefix}.session`];
  /** @type {string | null} */
  let given = session === "tab" || session === "shared" ? null : session;
  return {
    get: () => given ?? keeper.get(key),
    /** @param {string | null} token */
    set: (token) => (given === null ? keeper.set(key, token) : void (given = token)),
  };
}
