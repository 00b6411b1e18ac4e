// The events of a page, by the attributes that name their handlers. Names and payloads are those of Writer Framework.

import { busy, fireFrom } from "./context.js";
import { fail } from "./diagnostics.js";
import { fields, valueOf } from "./fields.js";
import { payloadsOf } from "./files.js";
import { fieldsOf } from "./forms.js";
import { readRoute } from "./route.js";
import { every } from "./ticks.js";
import { Typing } from "./typing.js";

/** @typedef {import("./client.js").Client} Client */

/** Which keys were held down. @param {MouseEvent | KeyboardEvent} event */
const held = ({ ctrlKey, shiftKey, metaKey }) => ({ ctrl_key: ctrlKey, shift_key: shiftKey, meta_key: metaKey });

/** What `wf-hashchange` and `wf-load` tell of the address. */
function route() {
  const { page, vars } = readRoute(location.hash);
  return { page_key: page, route_vars: vars };
}

/**
 * Listen to a page's events. Gives, by what follows `wf-`, what an element with that attribute starts when it comes.
 * @param {Client} client @returns {{[kind: string]: import("./bindings.js").Start}}
 */
export function listen(client) {
  const typing = new Typing(client);
  /** Inputs whose last change was told of by `input`. @type {WeakSet<Element>} */
  const heard = new WeakSet();

  /** @param {Element} element @param {string} kind @param {any} payload */
  function fire(element, kind, payload) {
    typing.flush();
    return fireFrom(client, element, kind, payload);
  }

  /**
   * Fire an event whose payload has to be read first, and show by its element how far that is, in per cent.
   * @param {Element} element @param {string} kind @param {(progress: (done: number) => void) => Promise<any>} read
   */
  async function fireRead(element, kind, read) {
    const reading = read((done) => element.setAttribute("wf-busy", String(Math.round(100 * done))));
    busy(element, Promise.allSettled([reading]));
    try {
      return await fire(element, kind, await reading);
    } catch (error) {
      fail("bad_payload", String(error), element);
    }
  }

  /** @param {Event} event @param {string} kind @returns {any} the element around the event's own that has the attribute */
  const find = ({ target }, kind) => (target instanceof Element ? target.closest(`[wf-${kind}]`) : null);

  /** @param {string} type @param {(event: any) => void} call */
  const hear = (type, call) => document.addEventListener(type, call);

  /** @param {Event} event */
  function changed(event) {
    const field = event.target instanceof Element && fields.get(event.target);
    if (field) field.change();
    const element = find(event, "change");
    if (element) typing.change(/** @type {Element} */ (event.target), element, "change", valueOf(event.target));
  }

  /** @param {HTMLFormElement} form @returns {[any, string][]} its elements, and what the user has put in */
  const filled = (form) => Array.from(form.elements, (element) => [element, String(valueOf(element))]);

  /** Show in elements of a form what the state has, unless more was put in meanwhile. @param {[any, string][]} sent */
  function settle(sent) {
    for (const [element, value] of sent) if (String(valueOf(element)) === value) fields.get(element)?.answered();
  }

  hear("click", (event) => {
    const element = find(event, "click");
    if (element) fire(element, "click", held(event));
  });
  hear("input", (event) => {
    heard.add(event.target);
    changed(event);
  });
  hear("change", async (event) => {
    const { target } = event;
    // Browsers tell of most changes by `input` first; scripts and autofill may not.
    if (!heard.delete(target)) changed(event);
    const finished = find(event, "change-finish");
    if (finished) typing.change(target, finished, "change-finish", valueOf(target));
    const chosen = target.files && find(event, "file-change");
    if (chosen) fireRead(chosen, "file-change", (sent) => payloadsOf(client, target.files, sent));
    if (!finished && !find(event, "change") && !target.form?.hasAttribute("wf-submit")) fields.get(target)?.answered();
  });
  hear("submit", async (event) => {
    const form = find(event, "submit");
    // A form of which nobody says where it goes would load the page anew.
    if (form || !(event.target.hasAttribute("action") || event.target.method === "dialog")) event.preventDefault();
    if (!form) return;
    const sent = filled(form);
    if (await fireRead(form, "submit", (done) => fieldsOf(client, form, event.submitter, done))) settle(sent);
  });
  hear("reset", ({ target }) => setTimeout(() => settle(filled(target))));
  hear("keydown", (event) => {
    const element = find(event, "keydown");
    // Enter, for one, chooses what an input method offers.
    if (element && !event.isComposing) fire(element, "keydown", { key: event.key, ...held(event) });
  });
  hear("focusout", ({ target }) => fields.get(target)?.left());
  for (const type of ["compositionstart", "compositionend"]) {
    hear(type, ({ target }) => {
      const field = fields.get(target);
      if (!field) return;
      field.composed = type === "compositionstart";
      field.left();
    });
  }
  addEventListener("hashchange", () => {
    for (const element of document.querySelectorAll("[wf-hashchange]")) fire(element, "hashchange", route());
  });

  return {
    load: (element) => void fire(element, "load", route()),
    tick: (element) => every(element, () => fireFrom(client, element, "tick", null)),
  };
}

