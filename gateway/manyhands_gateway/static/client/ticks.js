// What happens again and again.

/** Seconds between two ticks where `wf-interval` does not say. */
const INTERVAL = 1;

/**
 * Do something each `wf-interval` of an element, but not before it was done the last time; gives what ends it.
 * @param {Element} element @param {() => Promise<unknown>} act
 */
export function every(element, act) {
  const interval = 1000 * (Number(element.getAttribute("wf-interval")) || INTERVAL);
  let timer = setTimeout(tick, interval);
  let stopped = false;

  async function tick() {
    const begun = performance.now();
    await act();
    if (!stopped) timer = setTimeout(tick, Math.max(0, begun + interval - performance.now()));
  }

  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
