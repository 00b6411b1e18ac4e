// <img wf-image="path">: shows bytes, or what is at a URL. A part.

import { warn } from "./diagnostics.js";

/** What an image may come from: no URL of these runs anything. */
const SOURCES = /^(https?:|blob:|data:image\/)/;

/** @param {Element} element @param {{stops: (() => void)[]}} about */
export function image(element, { stops }) {
  const picture = new ImagePicture(element);
  stops.push(() => picture.stop());
  return (/** @type {any} */ value) => picture.show(value);
}

class ImagePicture {
  /** @type {any} */
  #value;
  /** The URL that was made of bytes; empty where there is none. */
  #made = "";

  /** @param {any} image */
  constructor(image) {
    this.image = image;
    if (image.localName !== "img") warn("bad_binding", image, "is no <img>; write <img wf-image=…>");
    if (!["alt", "wf-attr:alt"].some((name) => image.hasAttribute(name))) warn("no_alt", image, `says nothing to those who can't see it; write alt="…", or alt="" where it adorns only`);
    this.failed = () => warn("refused_value", image, "can't show its value, which is no image");
    image.addEventListener("error", this.failed);
  }

  /** @param {any} value */
  show(value) {
    if (value === this.#value) return;
    this.#value = value;
    const url = ArrayBuffer.isView(value) ? this.#make(/** @type {Uint8Array<ArrayBuffer>} */ (value)) : typeof value === "string" ? value : "";
    if (url && SOURCES.test(new URL(url, document.baseURI).href)) this.image.src = url;
    else this.image.removeAttribute("src");
    if (value && !url) warn("refused_value", this.image, "can't show its value; give it bytes, a URL, an image or a figure of matplotlib");
    if (url !== this.#made) this.#forget();
  }

  stop() {
    this.image.removeEventListener("error", this.failed);
    this.#forget();
  }

  /** @param {Uint8Array<ArrayBuffer>} bytes */
  #make(bytes) {
    this.#forget();
    const text = new TextDecoder().decode(bytes.subarray(0, 256));
    // SVG may hold scripts. Within an image they don't run, and opened by itself what has a data URL is of no origin.
    if (text.trimStart().startsWith("<")) return `data:image/svg+xml,${encodeURIComponent(new TextDecoder().decode(bytes))}`;
    this.#made = URL.createObjectURL(new Blob([bytes]));
    return this.#made;
  }

  #forget() {
    if (this.#made) URL.revokeObjectURL(this.#made);
    this.#made = "";
  }
}
