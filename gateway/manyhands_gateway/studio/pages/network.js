// The network that the framed page has: slower than this machine's, or none.

import { make } from "./dom.js";

/** Where the frame finds it after a reload. See probe.js. */
const KEPT = "manyhands.studio.network";
const SPEEDS = { "as it is": [0, 0], "fibre, 10 ms": [10, 5], "mobile, 80 ms": [80, 60], "far away, 250 ms": [250, 100], "bad, 1 s": [1000, 800] };

/** Make the controls. @param {() => any} probe gives the frame's */
export function makeNetwork(probe) {
  const known = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  const speed = make("select", { "aria-label": "network", onchange: apply });
  for (const [name, [latency]] of Object.entries(SPEEDS)) speed.append(make("option", { value: name, selected: latency === known.latency }, name));
  const offline = make("input", { type: "checkbox", checked: known.offline === true, onchange: apply });
  const cut = make("button", { onclick: () => probe()?.cut() }, "Cut once");

  function apply() {
    const [latency, jitter] = SPEEDS[/** @type {keyof typeof SPEEDS} */ (speed.value)];
    const network = { latency, jitter, offline: offline.checked };
    sessionStorage.setItem(KEPT, JSON.stringify(network));
    probe()?.setNetwork(network);
  }

  return make("div", { class: "row network" }, make("label", {}, "Network ", speed), make("label", {}, offline, " offline"), cut);
}
