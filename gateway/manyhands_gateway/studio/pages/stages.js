// The stages of an event: when each had ended, as gateway, worker and page tell it. All clocks are this machine's.

/** @typedef {{name: string, ms: number}} Stage */

/**
 * Give how long an event was at each stage that is known, in ms.
 * @param {import("./events_tab.js").Record} record
 * @returns {{stages: Stage[], total: number}}
 */
export function stagesOf({ accepted, ended, end, seen }) {
  const times = ended?.times;
  if (!times?.posted) return { stages: [], total: 0 };
  const passedOn = end?.time;
  const page = seen.page ?? seen.studio;
  // A worker may have begun before the gateway has read that the event was accepted, and learns of its commit no
  // sooner than it needs to: later than the browser, at times.
  const ends = {
    accepted: least(accepted?.time, times.taken),
    waited: times.taken,
    loaded: times.began ?? times.returned,
    ran: times.returned,
    committed: least(times.committed, passedOn),
    delivered: page ? page.received / 1000 : passedOn,
    painted: page ? page.painted / 1000 : undefined,
  };
  /** @type {Stage[]} */
  const stages = [];
  let before = times.posted;
  for (const [name, end] of Object.entries(ends)) {
    if (end === undefined || end === null) continue;
    stages.push({ name, ms: Math.max(0, 1000 * (end - before)) });
    before = Math.max(before, end);
  }
  return { stages, total: 1000 * (before - times.posted) };
}

/** @param {(number | undefined)[]} times */
function least(...times) {
  const known = times.filter((time) => time !== undefined && time !== null);
  return known.length ? Math.min(.../** @type {number[]} */ (known)) : undefined;
}
