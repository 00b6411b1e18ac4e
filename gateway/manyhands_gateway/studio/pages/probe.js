// Runs in the framed page before all else, and in the studio: between the page and the network. It tells when the end of
// an event has come and was painted, and, in the frame, keeps what the client says of the page, and plays a slow or a
// broken network.

(() => {
  "use strict";
  const isFrame = window !== window.top;
  const role = isFrame ? "page" : "studio";
  const channel = new BroadcastChannel("manyhands.studio");
  const kept = "manyhands.studio.network";
  /** The network that is played: ms that each way takes, up to so many more, and whether there is none. */
  const network = { latency: 0, jitter: 0, offline: false };
  /** @type {Set<WebSocket>} */
  const sockets = new Set();
  /** What the client has said of the page, and who is told of more. @type {{code: string, message: string, element?: Element}[]} */
  const diagnostics = [];
  /** @type {(() => void) | null} */
  let changed = null;
  addEventListener("manyhands:diagnostic", (event) => {
    if (diagnostics.length < 200) diagnostics.push(/** @type {CustomEvent} */ (event).detail);
    changed?.();
  });

  /** @param {Partial<typeof network>} wanted */
  function setNetwork(wanted) {
    const wasOffline = network.offline;
    Object.assign(network, wanted);
    if (network.offline) cut();
    else if (wasOffline) dispatchEvent(new Event("online"));
  }

  function cut() {
    for (const socket of sockets) socket.close();
  }

  /** Gives, for one direction of a socket, what delays without ever changing the order. */
  function delaying() {
    let last = 0;
    return (/** @type {() => void} */ call) => {
      const due = Math.max(last, performance.now() + network.latency + Math.random() * network.jitter);
      last = due;
      setTimeout(call, due - performance.now());
    };
  }

  const now = () => performance.timeOrigin + performance.now();

  /** @param {any} data */
  async function note(data) {
    const received = now();
    /** @type {Promise<number>} */
    const painted = new Promise((resolve) => requestAnimationFrame(() => setTimeout(() => resolve(now()))));
    const { type, event, done } = await read(data);
    if (type === "update" && done && event) channel.postMessage({ role, event, received, painted: await painted });
  }

  /** Read an envelope that may be the end of an event. @param {any} data */
  async function read(data) {
    if (typeof data === "string") return data.includes('"done":true') ? JSON.parse(data) : {};
    const decoder = "/_mh/studio/msgpack.js";
    const { unpack } = await import(decoder);
    return unpack(new Uint8Array(data instanceof Blob ? await data.arrayBuffer() : data));
  }

  class ProbedWebSocket extends WebSocket {
    #later = delaying();
    /** Messages that have had their delay. @type {WeakSet<Event>} */
    #due = new WeakSet();

    /** @param {string | URL} url @param {string | string[]} [protocols] */
    constructor(url, protocols) {
      super(url, protocols);
      const back = delaying();
      sockets.add(this);
      this.addEventListener("close", () => sockets.delete(this));
      // The first listener, since nobody else has the socket yet.
      this.addEventListener("message", (event) => {
        const { data } = event;
        if (this.#due.has(event) || !(network.latency || network.jitter)) {
          if (isOurs(this.protocol)) note(data).catch(() => undefined);
          return;
        }
        event.stopImmediatePropagation();
        back(() => {
          if (this.readyState !== WebSocket.OPEN) return;
          const again = new MessageEvent("message", { data });
          this.#due.add(again);
          this.dispatchEvent(again);
        });
      });
      if (network.offline) this.close();
    }

    /** @param {any} data */
    send(data) {
      if (!(network.latency || network.jitter)) return super.send(data);
      this.#later(() => this.readyState === WebSocket.OPEN && super.send(data));
    }
  }

  /** Tell whether a socket is a client's: an app's page may have others. @param {string} protocol */
  const isOurs = (protocol) => protocol.startsWith("manyhands.");

  if (isFrame) {
    const { fetch } = window;
    const back = delaying();
    window.fetch = async (...asked) => {
      if (network.offline) throw new TypeError("Failed to fetch: the studio plays that there is no network");
      await new Promise((resolve) => back(() => resolve(undefined)));
      return fetch(...asked);
    };
    try { setNetwork(JSON.parse(sessionStorage.getItem(kept) ?? "{}")); } catch { /* then it is the real one */ }
  }
  const probe = { setNetwork, cut, diagnostics, follow: (/** @type {() => void} */ call) => (changed = call) };
  Object.assign(window, { WebSocket: ProbedWebSocket, manyhandsProbe: probe });
})();
