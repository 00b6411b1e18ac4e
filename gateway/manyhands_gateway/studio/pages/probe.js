// Runs in the framed page before all else, and in the studio: between the page and the network. It tells when the end of
// an event has come and was painted, and, in the frame, plays a slow or a broken network.

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

  /** @param {any} data */
  function note(data) {
    if (typeof data !== "string" || !data.includes('"done":true')) return;
    const { type, event } = JSON.parse(data);
    if (type !== "update" || !event) return;
    const now = () => performance.timeOrigin + performance.now();
    const received = now();
    requestAnimationFrame(() => setTimeout(() => channel.postMessage({ role, event, received, painted: now() })));
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
        if (this.#due.has(event) || !(network.latency || network.jitter)) return note(data);
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

  if (isFrame) {
    try { setNetwork(JSON.parse(sessionStorage.getItem(kept) ?? "{}")); } catch { /* then it is the real one */ }
  }
  Object.assign(window, { WebSocket: ProbedWebSocket, manyhandsProbe: { setNetwork, cut } });
})();
