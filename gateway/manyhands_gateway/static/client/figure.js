// <div wf-figure="path">: has a figure drawn by the library that it is made for, which the page brings; pictures as images. A part.

import { warn } from "./diagnostics.js";
import { isDict } from "./paths.js";
import { drawPlotly, drawVega } from "./libraries.js";

/**
 * What is drawn already: adapts it to another width, takes it away, or, once it was drawn anew, what is left of it.
 * @typedef {{resize: () => void, remove: () => void, renewed: () => void}} Drawn
 */
/** Draws, or draws anew. @typedef {(host: any, figure: any) => Promise<Drawn>} Draw */

/** Without weight, so that any rule of the page's own wins. */
const FIGURE_STYLE = `
:where([wf-figure]) { overflow-x: auto; }
:where(.mh-undrawn) { margin: 0; padding: 0.75rem; border: 1px dashed; overflow-wrap: anywhere; }
`;
/** The rules, once they are needed. @type {CSSStyleSheet | null} */
let sheet = null;

/** By kind: whether its library is there, which scripts bring it, and what has it draw. @type {{[kind: string]: [() => boolean, string[], Draw]}} */
const LIBRARIES = {
  plotly: [() => "Plotly" in window, ["plotly.min.js"], drawPlotly],
  vega: [() => "vegaEmbed" in window, ["vega.min.js", "vega-lite.min.js", "vega-embed.min.js"], drawVega],
  image: [() => true, [], drawImage],
};

/** @param {Element} host @param {import("./later.js").About} about */
export function figure(host, { stops }) {
  const picture = new FigurePicture(host);
  stops.push(() => picture.stop());
  return (/** @type {any} */ value) => picture.show(value);
}

class FigurePicture {
  /** What is to be shown, and as text, by which figures are compared. @type {any} */
  #value = null;
  #text = "";
  #kind = "";
  /** @type {Drawn | null} */
  #drawn = null;
  #drawing = Promise.resolve();
  #width = 0;

  /** @param {any} host */
  constructor(host) {
    if (!sheet) {
      document.adoptedStyleSheets.push((sheet = new CSSStyleSheet()));
      sheet.replaceSync(FIGURE_STYLE);
    }
    this.host = host;
    this.redraw = () => this.#draw();
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.scheme.addEventListener("change", this.redraw);
    this.resized = new ResizeObserver(() => {
      if (!host.clientWidth || host.clientWidth === this.#width) return;
      this.#width = host.clientWidth;
      this.#drawn?.resize();
    });
    this.resized.observe(host);
    // A library may come later than the figure: scripts tell of their coming on the way down only.
    this.arrived = (/** @type {Event} */ { target }) => {
      if (target instanceof HTMLScriptElement && this.#value !== null && !this.#drawn) this.#draw();
    };
    document.addEventListener("load", this.arrived, true);
  }

  /** @param {any} value */
  show(value = null) {
    if (value === this.#value) return;
    const text = isDict(value) ? JSON.stringify(value) : "";
    this.#value = value;
    // The same one again, of a whole state.
    if (text && text === this.#text) return;
    this.#text = text;
    this.#draw();
  }

  stop() {
    this.scheme.removeEventListener("change", this.redraw);
    document.removeEventListener("load", this.arrived, true);
    this.resized.disconnect();
    this.#value = null;
    this.#draw();
  }

  /** Draw what is to be shown, after what is being drawn. */
  #draw() {
    this.#drawing = this.#drawing.then(async () => {
      const value = this.#value;
      try {
        await this.#drawNow(value);
      } catch (error) {
        this.#say(`The figure can't be drawn: ${error}`);
        warn("refused_value", this.host, `can't draw its figure: ${error}`);
      }
    });
  }

  /** @param {any} value */
  async #drawNow(value) {
    const kind = kindOf(value);
    if (kind !== this.#kind) this.#clear();
    this.#kind = kind;
    if (!kind) {
      if (value !== null) throw new TypeError("expected a figure of plotly, altair or matplotlib, or an image");
      return;
    }
    const [isThere, scripts, draw] = LIBRARIES[kind];
    // What the page has asked for may still be on its way.
    if (!isThere() && document.readyState !== "complete") return addEventListener("load", this.redraw, { once: true });
    if (!isThere()) {
      const tags = scripts.map((name) => `<script src="\u2026/${name}" defer></script>`);
      const cure = `Add to the page's head: ${tags.join(" ")}`;
      this.#say(`This figure needs a library that the page does not bring. ${cure}`);
      return warn("no_library", this.host, `shows a figure whose library the page does not bring. ${cure}`);
    }
    const before = this.#drawn;
    if (!before) this.host.replaceChildren();
    this.#drawn = await draw(this.host, value);
    before?.renewed();
    this.#width = this.host.clientWidth;
  }

  #clear() {
    this.#drawn?.remove();
    this.#drawn = null;
    this.host.replaceChildren();
  }

  /** @param {string} text */
  #say(text) {
    this.#clear();
    this.host.append(Object.assign(document.createElement("p"), { className: "mh-undrawn", textContent: text }));
  }
}

/** Tell who draws a figure; empty where nobody does. @param {any} value */
function kindOf(value) {
  if (typeof value === "string" || ArrayBuffer.isView(value)) return "image";
  if (!isDict(value)) return "";
  if (Array.isArray(value.data) && !value.$schema) return "plotly";
  const parts = ["$schema", "mark", "layer", "concat", "hconcat", "vconcat", "facet", "repeat", "spec"];
  return parts.some((name) => name in value) ? "vega" : "";
}

/** @type {Draw} */
async function drawImage(host, value) {
  const { image } = await import("./image.js");
  const shown = host.querySelector("img") ?? host.appendChild(document.createElement("img"));
  shown.alt = host.getAttribute("aria-label") ?? host.closest("figure")?.querySelector("figcaption")?.textContent.trim() ?? "";
  /** @type {(() => void)[]} */
  const stops = [];
  image(shown, { stops })(value);
  const stop = () => stops.forEach((one) => one());
  return { resize() {}, remove: stop, renewed: stop };
}
