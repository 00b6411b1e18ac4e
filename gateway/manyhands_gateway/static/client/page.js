// What handlers ask of the page. It is served apart from the client, and fetched when something is asked for first.

import { Mail } from "./mail.js";
import { showNote } from "./notes.js";
import { readRoute } from "./route.js";

/** @typedef {{[key: string]: any}} Asked */

/** What was imported, by its kind and the app's key. @type {Map<string, HTMLElement>} */
const imported = new Map();
/** The addresses of modules, by the app's keys. @type {Map<string, string>} */
const modules = new Map();

/** @type {{[type: string]: (asked: any, gateway: string) => unknown}} */
const ACTIONS = {
  [Mail.ADD_NOTIFICATION]: showNote,
  [Mail.FILE_DOWNLOAD]: ({ url, name }, gateway) => follow(new URL(url, gateway).href, { download: name }),
  [Mail.OPEN_URL]: ({ url }) => follow(address(url), { target: "_blank", rel: "noopener noreferrer" }),
  [Mail.SET_PAGE]: ({ page }) => void (location.hash = changeRoute(location.hash, { page })),
  [Mail.SET_ROUTE_VARS]: ({ vars }) => void (location.hash = changeRoute(location.hash, { vars })),
  [Mail.IMPORT_STYLESHEET]: ({ name, path }) => add(name, "link", { rel: "stylesheet", href: address(path) }),
  [Mail.IMPORT_SCRIPT]: ({ name, path }) => add(name, "script", { src: address(path) }),
  [Mail.IMPORT_FRONTEND_MODULE]({ name, path }) {
    modules.set(name, address(path));
    return import(address(path));
  },
  async [Mail.CALL_FRONTEND_FUNCTION]({ module, name, args }) {
    const found = await import(modules.get(module) ?? address(module));
    if (typeof found[name] !== "function") {
      throw new TypeError(`${module} exports no function ${name}; it exports ${Object.keys(found).join(", ") || "nothing"}`);
    }
    return found[name](...args);
  },
};

/**
 * Do what a handler asks of the page; what goes wrong is said in the console.
 * @param {Asked} asked @param {string} gateway the address that its URLs are relative to
 */
export async function act(asked, gateway) {
  try {
    await ACTIONS[asked.type]?.(asked, gateway);
  } catch (error) {
    console.error(`manyhands: ${asked.type}: ${error}`);
  }
}

/** Give the address of something of the app's; what would run as a script is refused. @param {string} path */
function address(path) {
  const url = new URL(path, document.baseURI);
  if (!/^(https?|mailto|tel):$/.test(url.protocol)) throw new TypeError(`${path} can't be opened`);
  return url.href;
}

/**
 * Give a hash with another page, or with some variables changed: null takes one out.
 * @param {string} hash
 * @param {{page?: string, vars?: {[name: string]: string | null}}} changes
 */
function changeRoute(hash, { page, vars }) {
  const now = readRoute(hash);
  const pairs = Object.entries({ ...now.vars, ...vars }).filter(([, value]) => value !== null);
  const spelled = pairs.map((pair) => pair.map((text) => encodeURIComponent(String(text))).join("="));
  return encodeURIComponent(page ?? now.page) + (spelled.length ? `/${spelled.join("&")}` : "");
}

/** @param {string} href @param {{[name: string]: string}} more */
function follow(href, more) {
  const link = Object.assign(document.createElement("a"), { href, hidden: true }, more);
  document.body.append(link);
  link.click();
  link.remove();
}

/** Add an element, in the place of the one that had its key. @param {string} name @param {string} tag @param {{[name: string]: string}} more */
function add(name, tag, more) {
  const key = `${tag} ${name}`;
  const element = Object.assign(document.createElement(tag), more);
  const before = imported.get(key);
  imported.set(key, element);
  return new Promise((resolve, reject) => {
    element.onload = () => resolve(before?.remove());
    element.onerror = () => reject(new Error(`${Object.values(more).pop()} can't be loaded, or the page's policy refuses it`));
    document.head.append(element);
  });
}
