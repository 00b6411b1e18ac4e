// <table wf-table="path">: draws a table, or a page of one, and asks `wf-change` for another page or order. A part.

import { warn } from "./diagnostics.js";
import { cellText, gridOf, isNothing } from "./grid.js";
import { Pager } from "./pager.js";
import { dressTables } from "./table_style.js";

/** @typedef {import("./grid.js").Grid} Grid */
/** @typedef {import("./pager.js").Asked} Asked */

/** @param {Element} host @param {import("./later.js").About} about */
export function table(host, { stops }) {
  const picture = new TablePicture(host);
  stops.push(() => picture.stop());
  return (/** @type {any} */ value) => picture.show(value);
}

class TablePicture {
  /** @type {Grid | null} */
  #grid = null;
  /** What was asked for last; an answer may still be on its way. @type {Asked | null} */
  #asked = null;
  /** The rows by their keys. @type {Map<string, HTMLTableRowElement>} */
  #rows = new Map();
  #observers;

  /** @param {any} host a `<table>`, or an element to put one in */
  constructor(host) {
    dressTables();
    this.host = host;
    this.pager = new Pager(host, (change) => this.#ask(change));
    /** @type {HTMLTableElement} */
    this.table = host.localName === "table" ? host : host.querySelector("table") ?? document.createElement("table");
    this.table.classList.add("mh-table");
    /** What scrolls, where the table is wider than there is room. @type {HTMLElement} */
    this.scroller = host;
    if (host === this.table) {
      host.setAttribute("role", "table"); // which it might lose by what makes it scroll
      host.after(this.pager.element);
    } else {
      this.scroller = document.createElement("div");
      this.scroller.append(this.table);
      this.scroller.setAttribute("role", "region");
      host.append(this.scroller, this.pager.element);
    }
    this.scroller.classList.add("mh-scroll");
    this.head = this.table.tHead ?? this.table.createTHead();
    this.body = this.table.tBodies[0] ?? this.table.createTBody();
    const answered = new MutationObserver(() => host.hasAttribute("wf-busy") || this.pager.show(this.#grid, this.#asks));
    answered.observe(host, { attributeFilter: ["wf-busy"] });
    const resized = new ResizeObserver(() => this.#letScroll());
    resized.observe(this.scroller);
    this.#observers = [answered, resized];
  }

  get #asks() {
    return ["wf-change", "wf-change-finish"].some((name) => this.host.hasAttribute(name));
  }

  /** @param {any} value */
  show(value) {
    this.#grid = gridOf(value);
    if (!this.#grid && value !== null && value !== undefined) {
      warn("refused_value", this.host, "can't show its value; give it what mh.table_page gives, a DataFrame, or a list of dicts");
    }
    this.#showHead(this.#grid);
    this.#showBody(this.#grid);
    this.pager.show(this.#grid, this.#asks);
    const name = this.table.caption?.textContent?.trim() || this.host.getAttribute("aria-label");
    this.pager.element.setAttribute("aria-label", name ? `Pages of ${name}` : "Pages");
    if (name && this.scroller !== this.host) this.scroller.setAttribute("aria-label", name);
    this.#letScroll();
  }

  stop() {
    for (const observer of this.#observers) observer.disconnect();
    this.pager.element.remove();
  }

  /** Let keys scroll it where it is too wide. */
  #letScroll() {
    if (this.scroller.scrollWidth > this.scroller.clientWidth) this.scroller.tabIndex = 0;
    else this.scroller.removeAttribute("tabindex");
  }

  /** @param {Grid | null} grid */
  #showHead(grid) {
    const row = this.head.rows[0] ?? this.head.insertRow();
    const { columns = [], types = [], sort, descending } = grid ?? {};
    while (row.cells.length > columns.length) row.cells[columns.length].remove();
    columns.forEach((name, i) => {
      const cell = row.cells[i] ?? row.appendChild(this.#makeHeader(i));
      const label = cell.firstElementChild ?? cell;
      if (label.textContent !== name) label.textContent = name;
      cell.className = classOf(types[i]);
      if (sort === name) cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
  }

  /** @param {number} i */
  #makeHeader(i) {
    const cell = document.createElement("th");
    cell.scope = "col";
    if (!this.#asks) return cell;
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => {
      const name = /** @type {Grid} */ (this.#grid).columns[i];
      // In ascending order, in descending order, and then as it was.
      this.#ask(({ sort, descending }) => ({ page: 0, sort: sort === name && descending ? null : name, descending: sort === name && !descending }));
    });
    cell.append(button);
    return cell;
  }

  /** @param {Grid | null} grid */
  #showBody(grid) {
    const { columns = [], types = [], shown: widths = [], rows = [] } = grid ?? {};
    const key = columns.indexOf(this.host.getAttribute("wf-key") ?? "");
    /** @type {Map<string, HTMLTableRowElement>} */
    const shown = new Map();
    rows.forEach((values, place) => {
      const own = key < 0 ? String(place) : JSON.stringify(values[key]);
      // Of those with one key the first has it.
      const name = shown.has(own) ? `${place} ${own}` : own;
      const row = this.#rows.get(name) ?? document.createElement("tr");
      this.#rows.delete(name);
      shown.set(name, row);
      fill(row, values, types, widths);
      if (this.body.rows[place] !== row) this.body.insertBefore(row, this.body.rows[place] ?? null);
    });
    for (const row of this.#rows.values()) row.remove();
    this.#rows = shown;
  }

  /** Ask for another page or another order, beginning with what was asked for last. @param {(asked: Asked) => Partial<Asked>} change */
  #ask(change) {
    const { page = 0, size, sort, descending } = /** @type {Grid} */ (this.#grid);
    const now = (this.host.hasAttribute("wf-busy") && this.#asked) || { page, size, sort, descending };
    this.#asked = { ...now, ...change(now) };
    if (JSON.stringify(this.#asked) === JSON.stringify(now)) return;
    // To the page it is an input, whose value is what was asked for.
    this.host.value = this.#asked;
    for (const type of ["input", "change"]) this.host.dispatchEvent(new Event(type, { bubbles: true }));
  }
}

/** @param {string} type of a column */
const classOf = (type) => (type === "number" || type === "date" ? `mh-${type}` : "");

/** Write a row, and of it only what has changed. @param {HTMLTableRowElement} row @param {any[]} values @param {string[]} types @param {number[]} widths */
function fill(row, values, types, widths) {
  while (row.cells.length > types.length) row.deleteCell(-1);
  types.forEach((type, i) => {
    const cell = row.cells[i] ?? row.insertCell();
    const text = cellText(values[i], type, widths[i]);
    if (cell.textContent !== text) cell.textContent = text;
    const name = isNothing(values[i]) ? `${classOf(type)} mh-nothing` : classOf(type);
    if (cell.className !== name) cell.className = name;
  });
}
