// How tables look: in the page's own colours, and without weight, so that any rule of the page's own wins.

const TABLE_STYLE = `
:where(.mh-scroll) { overflow-x: auto; max-width: 100%; }
:where(table.mh-scroll) { display: block; }
:where(.mh-table) { border-collapse: collapse; font-variant-numeric: tabular-nums; }
:where(div > .mh-table) { width: 100%; }
:where(.mh-table caption) { padding: 0 0.75rem 0.5rem; text-align: start; font-weight: 600; }
:where(.mh-table th, .mh-table td) {
  max-width: 28rem; padding: 0.375rem 0.75rem; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent);
  text-align: start; vertical-align: top; overflow-wrap: break-word;
}
:where(.mh-table th, .mh-number, .mh-date) { white-space: nowrap; }
:where(.mh-table .mh-number) { text-align: end; }
:where(.mh-nothing) { opacity: 0.7; }
:where(.mh-table th button) {
  min-height: 1.75rem; padding: 0; border: 0; background: none; color: inherit; font: inherit; cursor: pointer;
}
:where(.mh-table th button)::after { content: "\\2195" / ""; display: inline-block; width: 1em; opacity: 0.5; text-align: center; }
:where(.mh-table [aria-sort="ascending"] button)::after { content: "\\2191" / ""; opacity: 1; }
:where(.mh-table [aria-sort="descending"] button)::after { content: "\\2193" / ""; opacity: 1; }
:where(.mh-pager) { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 0.5rem; padding: 0.5rem 0; }
:where(.mh-pager[hidden], .mh-pager [hidden]) { display: none; }
:where(.mh-pager button) {
  min-width: 2rem; min-height: 2.25rem; border: 1px solid color-mix(in srgb, currentColor 30%, transparent);
  border-radius: 0.375rem; background: none; color: inherit; font: inherit; cursor: pointer;
}
:where(.mh-pager button[aria-disabled="true"]) { opacity: 0.4; cursor: default; }
:where(.mh-pager select) { min-height: 2.25rem; font: inherit; }
:where(.mh-pager label) { margin-inline-start: auto; }
:where(.mh-rows) { font-variant-numeric: tabular-nums; }
@media (max-width: 30rem) { :where(.mh-rows) { order: -1; flex-basis: 100%; } }
:where([wf-table][wf-busy] tbody) { opacity: 0.6; transition: opacity 0s 0.2s; }
`;

let adopted = false;

/** Add the rules to the page, once. */
export function dressTables() {
  if (adopted) return;
  adopted = true;
  // Unlike a <style>, it needs no leave from the page's Content-Security-Policy.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(TABLE_STYLE);
  document.adoptedStyleSheets.push(sheet);
}
