// The frame of the app's page: what is pointed at in it, what is marked, and what its probe tells.

import { make } from "./dom.js";

/** What an element's tag says of where it stands in index.html. */
const MARK = "data-mh-at";
const SOURCE = "/?mh-studio";
/** What would come of a click that only points. */
const SWALLOWED = ["pointerup", "mousedown", "mouseup", "click", "dblclick", "auxclick", "contextmenu", "submit"];

/** What the client says of the page, and of which tag. @typedef {{at: number | null, code: string, message: string}} Diagnostic */

export class Frame {
  element = make("iframe", { title: "the app's page" });
  #picking = false;
  #swallowing = false;
  /** @type {CSSStyleSheet | null} */
  #style = null;

  /**
   * `picked` is told where the tag of an element begins, null for none, and whether the element is that tag's own.
   * @param {(at: number | null, isOwn: boolean) => void} picked @param {() => void} loaded @param {() => void} diagnosed
   */
  constructor(picked, loaded, diagnosed) {
    this.picked = picked;
    this.element.addEventListener("load", () => {
      // An empty frame is loaded as well, as soon as it is in the page.
      if (!this.hasBegun) return;
      if (this.#document) this.#follow(this.#document);
      this.probe?.follow(diagnosed);
      loaded();
    });
  }

  /** Whether something was loaded. */
  get hasBegun() {
    return this.element.hasAttribute("src");
  }

  /** The document, unless the frame has gone to another site. @returns {any} */
  get #document() {
    return this.element.contentDocument;
  }

  /** The probe of the page, unless the frame shows another one. @returns {any} */
  get probe() {
    try { return this.element.contentWindow?.manyhandsProbe; } catch { return undefined; }
  }

  /** Whether it shows index.html as the studio has it. */
  get isMarked() {
    return Boolean(this.#document?.querySelector(`[${MARK}]`));
  }

  /** Load the page, the same one again where it is still shown, with what stands behind its #. */
  reload() {
    const location = this.#document && this.element.contentWindow.location;
    if (location && location.pathname + location.search === SOURCE) location.reload();
    else this.element.src = SOURCE;
  }

  /** @param {boolean} on */
  pick(on) {
    this.#picking = on;
    const root = this.#document?.documentElement;
    if (root) root.style.cursor = on ? "crosshair" : "";
    if (!on) this.#hover(null);
  }

  /** Mark the elements of a tag; null: none. @param {number | null} at */
  select(at) {
    this.#mark("selected", at === null ? "" : `[${MARK}="${at}"] { outline: 3px solid #c2410c !important; outline-offset: 1px !important; }`);
  }

  /** What the client has said of the page. @returns {Diagnostic[]} */
  get diagnostics() {
    const said = this.probe?.diagnostics ?? [];
    return said.map((/** @type {any} */ { code, message, element }) => {
      const tag = element?.closest?.(`[${MARK}]`);
      const text = message.replaceAll(/ data-mh-at="\d+"/g, "");
      return { at: tag ? Number(tag.getAttribute(MARK)) : null, code, message: text };
    });
  }

  /** @param {any} shown the document */
  #follow(shown) {
    this.#style = null;
    this.#swallowing = false;
    const swallow = (/** @type {Event} */ event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    const { defaultView } = shown;
    // On the window, before all of the page's own. Of a disabled button nothing else is told.
    defaultView.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      this.#swallowing = this.#picking;
      if (!this.#picking) return;
      swallow(event);
      const element = /** @type {Element} */ (event.target).closest(`[${MARK}]`);
      this.picked(element ? Number(element.getAttribute(MARK)) : null, element === event.target);
    }, true);
    for (const type of SWALLOWED) {
      defaultView.addEventListener(type, (/** @type {Event} */ event) => {
        if (this.#swallowing) swallow(event);
      }, true);
    }
    defaultView.addEventListener("keydown", () => (this.#swallowing = false), true);
    defaultView.addEventListener("pointerover", (/** @type {PointerEvent} */ { target }) => {
      if (this.#picking) this.#hover(/** @type {Element} */ (target).closest(`[${MARK}]`));
    }, true);
  }

  /** @param {Element | null} element */
  #hover(element) {
    this.#mark("hover", element ? `[${MARK}="${element.getAttribute(MARK)}"] { outline: 2px dashed #c2410c !important; }` : "");
  }

  /** @type {{[what: string]: string}} */
  #rules = {};

  /** Outline elements, without an attribute of the page's own being touched. @param {string} what @param {string} rule */
  #mark(what, rule) {
    const shown = this.#document;
    if (!shown) return;
    this.#rules[what] = rule;
    if (!this.#style) {
      this.#style = /** @type {CSSStyleSheet} */ (new shown.defaultView.CSSStyleSheet());
      shown.adoptedStyleSheets = [...shown.adoptedStyleSheets, this.#style];
    }
    this.#style.replaceSync(Object.values(this.#rules).join("\n"));
  }
}
