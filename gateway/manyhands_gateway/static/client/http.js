// Requests to a gateway besides the socket: large values, and large payloads.

/** Seconds before a request that failed is sent again. */
const AGAIN = 2;

export class Http {
  /** The session is named by a cookie, which no script can read. */
  #cookie = false;

  /** @param {URL} base what paths are relative to @param {() => string | null} token of the session */
  constructor(base, token) {
    this.base = base;
    this.token = token;
  }

  /**
   * Send a request, again and again while the gateway can't be reached. Raises what the gateway says against it.
   * @param {string} method @param {string} path @param {Blob} [body] @returns {Promise<Response>}
   */
  async request(method, path, body) {
    for (;;) {
      const token = this.#cookie ? null : this.token();
      /** @type {HeadersInit} */
      const headers = token ? { Authorization: `Bearer ${token}` } : {};
      // A browser that can't reach a server raises a TypeError, and nothing else does.
      const answer = await fetch(new URL(path, this.base), { method, body, headers }).catch(() => null);
      // 409 says where an upload really is.
      if (answer?.ok || answer?.status === 409) return answer;
      if (answer?.status === 401 && token) {
        this.#cookie = true;
        continue;
      }
      if (answer && answer.status < 500 && answer.status !== 429) throw new Error(await answer.text());
      await new Promise((resume) => setTimeout(resume, 1000 * AGAIN));
    }
  }
}
