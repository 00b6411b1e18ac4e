// Joins what two have made of one text, where they have touched different lines of it.

/** What was done to a text: its lines from `from` to before `to` were replaced. @typedef {{from: number, to: number, lines: string[]}} Edit */

/**
 * Give what both edits make of a text; null where they touch each other.
 * @param {string} base @param {string} mine @param {string} theirs
 */
export function merge(base, mine, theirs) {
  if (mine === theirs || mine === base) return theirs;
  if (theirs === base) return mine;
  const lines = base.split("\n");
  const [first, last] = [editOf(lines, mine.split("\n")), editOf(lines, theirs.split("\n"))].sort((one, other) => one.from - other.from || one.to - other.to);
  if (first.to >= last.from) return null;
  return [...lines.slice(0, first.from), ...first.lines, ...lines.slice(first.to, last.from), ...last.lines, ...lines.slice(last.to)].join("\n");
}

/** @param {string[]} before @param {string[]} after @returns {Edit} */
function editOf(before, after) {
  const most = Math.min(before.length, after.length);
  let above = 0, below = 0;
  while (above < most && before[above] === after[above]) above++;
  while (below < most - above && before[before.length - 1 - below] === after[after.length - 1 - below]) below++;
  return { from: above, to: before.length - below, lines: after.slice(above, after.length - below) };
}
