// The browser client: binds a page's elements to handlers and to the session's state over one WebSocket.
//
//   <button wf-click="increment">+1</button>      fires the handler `increment`
//   <input wf-change="greet" wf-value="name">     fires `greet` with the input's value; shows state.name
//   <b wf-text="user.name"></b>                   shows state.user.name, as text and never as HTML
//   <html data-mh-status="connecting|open|closed"> for the page's style
//
// The words of the wire are those of shared/manyhands/wire.py.
(() => {
  "use strict";

  const SUBPROTOCOL = "manyhands.1.json";
  const CLOSE = { TOO_BIG: 1009, PROTOCOL: 4000, SESSION_UNKNOWN: 4001, REFUSED: 4003 };
  /** Seconds before the first reconnect; doubled for each further one, up to the longest. */
  const FIRST_PAUSE = 0.25;
  const LONGEST_PAUSE = 10;
  /** Seconds after which a connection has proved that it works, so that the next pause is the first one again. */
  const SETTLED = 5;
  /** Seconds before what was put off is sent again, where the gateway does not say. */
  const RETRY = 1;
  /** Events kept while they can't be sent. Beyond it the newest is refused: the page is offline, and says so. */
  const MAX_UNACCEPTED = 256;

  /**
   * @typedef {{n: number | null, handler: string, payload: unknown, context: object}} Unaccepted
   * @typedef {{[key: string]: any}} Dict
   */

  const url = new URL("ws", /** @type {HTMLScriptElement} */ (document.currentScript).src);
  url.protocol = url.protocol.replace("http", "ws");

  /** Storage that falls back to memory where the browser forbids it. @param {() => Storage} storage */
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

  // All tabs of an origin share a session; each tab is a client of its own. A duplicated tab inherits the storage of
  // the tab it was made from, so the id is kept over a reload only.
  const shared = keeper(() => localStorage);
  const own = keeper(() => sessionStorage);
  const navigation = /** @type {PerformanceNavigationTiming | undefined} */ (performance.getEntriesByType("navigation")[0]);
  let client = navigation?.type === "reload" ? own.get("manyhands.client") : null;
  if (!client) {
    const random = crypto.getRandomValues(new Uint8Array(16));
    client = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
    own.set("manyhands.client", client);
  }

  /** @type {WebSocket} */
  let socket;
  let status = "connecting";
  /** @type {Dict} */
  let state = {};
  /** The last update applied; null until there is a state. @type {number | null} */
  let seq = null;
  /** The token of the session this tab is in, or asked for. @type {string | null} */
  let token = null;
  let welcomed = false;
  /** When this connection was welcomed, in milliseconds of `performance.now`. */
  let since = 0;
  let highest = 0;
  let pause = FIRST_PAUSE;
  /** Seconds that a `restart` asked to wait. @type {number | null} */
  let restartDelay = null;
  /** What was not accepted yet, oldest first; without `n` until the first welcome tells where to go on. @type {Unaccepted[]} */
  let unaccepted = [];
  /** Set while the gateway has asked to wait; what is fired then is sent after it, in order. @type {number | undefined} */
  let holding;

  /** @param {string} now */
  function setStatus(now) {
    status = document.documentElement.dataset.mhStatus = now;
  }

  /** @param {object} envelope */
  function send(envelope) {
    socket.send(JSON.stringify(envelope));
  }

  function connect() {
    setStatus("connecting");
    const opened = (socket = new WebSocket(url, SUBPROTOCOL));
    opened.onopen = hello;
    opened.onmessage = (message) => opened === socket && receive(JSON.parse(message.data));
    opened.onclose = (event) => opened === socket && closed(event);
  }

  function hello() {
    const stored = shared.get("manyhands.session");
    if (stored !== token) forgetSession();
    token = stored;
    send({ type: "hello", client, ...(token && { session: token }), ...(token && seq !== null && { seq }) });
  }

  /**
   * Leave a session that is gone, or that another tab has replaced: its numbers mean nothing in the next one.
   * What was sent there and not answered may have run there, so it is dropped: in the next session nothing would tell
   * it from an event of its own, and it could run twice. What was never sent goes to the next session.
   */
  function forgetSession() {
    [state, seq, highest] = [{}, null, 0];
    for (const { handler } of unaccepted.filter((event) => event.n !== null)) {
      console.error(`manyhands: ${handler} was dropped: its session has ended, and it may have run there`);
    }
    unaccepted = unaccepted.filter((event) => event.n === null);
  }

  /** Drop what the gateway has closed the connection for, most likely: sent again, it would be closed for ever. */
  function dropLargest() {
    const sizes = new Map(unaccepted.filter((event) => event.n !== null).map((event) => [event, sizeOf(event)]));
    const size = Math.max(...sizes.values());
    const largest = unaccepted.find((event) => sizes.get(event) === size);
    if (!largest) return;
    unaccepted = unaccepted.filter((event) => event !== largest);
    console.error(`manyhands: ${largest.handler} was dropped: its payload is too large (the event has ${size} bytes)`);
  }

  /** @param {object} envelope */
  const sizeOf = (envelope) => new Blob([JSON.stringify(envelope)]).size;

  /** @param {CloseEvent} event */
  function closed(event) {
    if (welcomed && performance.now() - since > 1000 * SETTLED) pause = FIRST_PAUSE;
    welcomed = false;
    clearTimeout(holding);
    holding = undefined;
    if (event.code === CLOSE.PROTOCOL || event.code === CLOSE.REFUSED) {
      console.error(`manyhands: the gateway closed the connection (${event.code} ${event.reason})`);
      setStatus("closed");
      return;
    }
    if (event.code === CLOSE.SESSION_UNKNOWN) {
      // Another tab may have begun a new session already; then that one is ours too.
      if (shared.get("manyhands.session") === token) shared.set("manyhands.session", null);
    }
    if (event.code === CLOSE.TOO_BIG) dropLargest();
    setStatus("connecting");
    setTimeout(connect, 1000 * (restartDelay ?? pause * (0.5 + Math.random() / 2)));
    pause = Math.min(2 * pause, LONGEST_PAUSE);
    restartDelay = null;
  }

  /** @param {Dict} envelope */
  function receive(envelope) {
    switch (envelope.type) {
      case "welcome": return welcome(envelope);
      case "accepted": return accepted(envelope);
      case "update": return update(envelope);
      case "rejected": return rejected(envelope);
      case "restart": return void (restartDelay = envelope.delay);
      case "log": return console.log(envelope.text);
    }
  }

  /** @param {Dict} envelope */
  function welcome(envelope) {
    token = envelope.session;
    shared.set("manyhands.session", token);
    [welcomed, since] = [true, performance.now()];
    highest = Math.max(highest, envelope.n ?? 0);
    if (envelope.state) [state, seq] = [envelope.state, envelope.seq];
    setStatus("open");
    render();
    resend();
  }

  /** Send all that was not accepted, with the numbers it had: the gateway runs none of it twice. */
  function resend() {
    holding = undefined;
    for (const event of unaccepted) sendEvent(event);
  }

  /** @param {Unaccepted} event */
  function sendEvent(event) {
    event.n ??= ++highest;
    send({ type: "event", ...event });
  }

  /** @param {Dict} envelope */
  function accepted(envelope) {
    // A welcome proves less: a gateway that closes the connection at our first event would be asked without a pause.
    pause = FIRST_PAUSE;
    unaccepted = unaccepted.filter((event) => event.n !== envelope.n);
  }

  /** @param {Dict} envelope */
  function update(envelope) {
    if (seq === null || envelope.seq <= seq) return;
    if (envelope.seq !== seq + 1) return socket.close(); // a gap: resume from what was seen
    seq = envelope.seq;
    for (const path of envelope.unset ?? []) unset(path);
    for (const [path, value] of envelope.set ?? []) set(path, value);
    if (envelope.error) console.error(`manyhands: ${envelope.error.code}: ${envelope.error.message}`);
    render();
  }

  /** @param {Dict} envelope */
  function rejected(envelope) {
    // Where no worker knows the app yet, nothing is wrong with the event: it waits for the first one.
    const seconds = envelope.retry_after ?? (!welcomed || envelope.code === "no_worker" ? RETRY : null);
    if (!welcomed) {
      console.warn(`manyhands: ${envelope.message}`);
      const refused = socket;
      setTimeout(() => refused === socket && refused.readyState === WebSocket.OPEN && hello(), 1000 * seconds);
    } else if (seconds !== null) {
      holding ??= setTimeout(resend, 1000 * seconds);
    } else {
      unaccepted = unaccepted.filter((event) => event.n !== envelope.n);
      console.error(`manyhands: ${envelope.code}: ${envelope.message}`);
    }
  }

  /** @param {unknown} value @returns {value is Dict} */
  const isDict = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

  /** Read a path; own keys only, so that `constructor` is a key like any other. @param {string[]} path */
  function read(path) {
    /** @type {any} */
    let value = state;
    for (const key of path) value = isDict(value) && Object.hasOwn(value, key) ? value[key] : undefined;
    return value;
  }

  /** @param {string[]} path @param {unknown} value */
  function set(path, value) {
    let parent = state;
    for (const key of path.slice(0, -1)) {
      if (!Object.hasOwn(parent, key) || !isDict(parent[key])) parent[key] = {};
      parent = parent[key];
    }
    parent[path[path.length - 1]] = value;
  }

  /** @param {string[]} path */
  function unset(path) {
    const parent = read(path.slice(0, -1));
    if (isDict(parent)) delete parent[path[path.length - 1]];
  }

  /** @param {unknown} value */
  function text(value) {
    if (value === null || value === undefined) return "";
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  }

  function render() {
    show("wf-text", (element, now) => {
      if (element.textContent !== now) element.textContent = now;
    });
    show("wf-value", (element, now) => {
      // Never under the user's fingers.
      if (element !== document.activeElement) /** @type {HTMLInputElement} */ (element).value = now;
    });
  }

  /**
   * Write the state to all elements that have an attribute, each for itself: one that refuses its value, as
   * `<progress>` does for what is no number, keeps none of the others from theirs.
   * @param {string} attribute @param {(element: Element, now: string) => void} write
   */
  function show(attribute, write) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      try {
        write(element, text(read((element.getAttribute(attribute) ?? "").split("."))));
      } catch (error) {
        const tag = /** @type {Element} */ (element.cloneNode()).outerHTML;
        console.error(`manyhands: ${tag} can't show its value: ${error}`);
      }
    }
  }

  /**
   * Ask for a handler to be run; it is, once, also when the connection breaks meanwhile.
   * @param {string} handler @param {unknown} [payload] @param {object} [context]
   * @param {string} [traceparent] the trace that it belongs to, as W3C's Trace Context spells it
   */
  function fire(handler, payload = null, context = {}, traceparent = undefined) {
    if (unaccepted.length >= MAX_UNACCEPTED) return console.error(`manyhands: ${handler} was dropped: not connected`);
    const event = { n: null, handler, payload, context, ...(traceparent && { traceparent }) };
    unaccepted.push(event);
    if (welcomed && holding === undefined && socket.readyState === WebSocket.OPEN) sendEvent(event);
  }

  for (const type of ["click", "change"]) {
    document.addEventListener(type, (event) => {
      const element = /** @type {Element} */ (event.target).closest(`[wf-${type}]`);
      if (!element) return;
      const { value, checked, type: kind } = /** @type {HTMLInputElement} */ (element);
      const payload = type === "click" ? null : kind === "checkbox" ? checked : value;
      fire(element.getAttribute(`wf-${type}`) ?? "", payload, { event: type, ...(element.id && { target: element.id }) });
    });
  }
  document.addEventListener("DOMContentLoaded", render);

  Object.defineProperty(window, "manyhands", {
    value: { fire, get state() { return state; }, get status() { return status; } },
  });
  connect();
})();
