// What stands below a table: which of its rows are shown, and buttons for others.

/** @typedef {import("./grid.js").Grid} Grid */
/** What is asked for, as `mh.table_page` takes it. @typedef {{page: number, size: number, sort: string | null, descending: boolean}} Asked */

/** How many rows a page may have; the one that the app has chosen is always among them. */
const SIZES = [10, 25, 50, 100];

/** By what a button is called: its sign, and the page that it asks for. @type {{[name: string]: [string, (page: number, last: number) => number]}} */
const BUTTONS = {
  "First page": ["\u00ab", () => 0],
  "Previous page": ["\u2039", (page) => page - 1],
  "Next page": ["\u203a", (page) => page + 1],
  "Last page": ["\u00bb", (_, last) => last],
};

export class Pager {
  /** @type {[HTMLButtonElement, (page: number, last: number) => number][]} */
  #buttons = [];
  /** The last page's number. */
  #last = 0;

  /** @param {Element} host @param {(change: (asked: Asked) => Partial<Asked>) => void} ask */
  constructor(host, ask) {
    this.host = host;
    this.element = element("nav", "mh-pager");
    this.rows = element("span", "mh-rows");
    this.rows.setAttribute("role", "status");
    for (const [name, [sign, goal]] of Object.entries(BUTTONS)) {
      const button = /** @type {HTMLButtonElement} */ (element("button", "", sign));
      button.type = "button";
      button.setAttribute("aria-label", name);
      button.addEventListener("click", () => {
        ask(({ page }) => ({ page: Math.max(0, Math.min(this.#last, goal(page, this.#last))) }));
      });
      this.#buttons.push([button, goal]);
    }
    this.size = /** @type {HTMLSelectElement} */ (element("select", ""));
    this.size.addEventListener("change", () => {
      const size = Number(this.size.value);
      // The row at the top stays in sight.
      ask((asked) => ({ size, page: Math.floor((asked.page * asked.size) / size) }));
    });
    this.size.setAttribute("aria-label", "Rows per page");
    this.label = element("label", "", "Per page ");
    this.label.append(this.size);
    // They are this table's own affair: whoever listens around it hears of what it asks for.
    for (const type of ["input", "change"]) this.element.addEventListener(type, (event) => event.stopPropagation());
    this.element.append(...this.#buttons.map(([button]) => button), this.rows, this.label);
  }

  /** @param {Grid | null} grid @param {boolean} asks whether there is somebody to ask for other pages */
  show(grid, asks) {
    const { page = 0, pages = 1, size = 0, length = 0, rows = [] } = grid ?? {};
    const paged = grid?.page !== undefined;
    this.element.hidden = !grid || (!paged && rows.length === length);
    const count = new Intl.NumberFormat(/** @type {HTMLElement | null} */ (this.host.closest("[lang]"))?.lang || undefined);
    const [from, to, all] = [page * size + 1, page * size + rows.length, length].map((number) => count.format(number));
    const text = rows.length ? `Rows ${from}\u2013${to} of ${all}` : "No rows";
    if (this.rows.textContent !== text) this.rows.textContent = text;
    this.#last = pages - 1;
    for (const [button, goal] of this.#buttons) {
      const to = goal(page, this.#last);
      button.hidden = !asks || !paged || pages === 1;
      // One that is disabled would lose the focus.
      button.setAttribute("aria-disabled", String(to === page || to < 0 || to > this.#last));
    }
    this.label.hidden = !asks || !paged || length <= SIZES[0];
    const sizes = [...new Set([...SIZES, size])].sort((one, other) => one - other);
    this.size.replaceChildren(...sizes.map((one) => new Option(count.format(one), String(one), one === size, one === size)));
  }
}

/** @param {string} tag @param {string} name of its class @param {string} [text] */
function element(tag, name, text = "") {
  return Object.assign(document.createElement(tag), { className: name, textContent: text });
}
