// Work for the browser's free moments.

/** Free moments may be long; work that is not needed yet takes little of each, so that nobody waits for it. */
const SLICE_MS = 3

/**
 * Runs `work` again and again until it says that nothing is left; `more` tells it how long to go on. Returns how to
 * stop. Browsers that do not tell when they are idle do nothing ahead.
 */
export function whileIdle(work: (more: () => boolean) => boolean): () => void {
  if (!('requestIdleCallback' in globalThis)) return () => {}
  let waiting = requestIdleCallback(function again(deadline) {
    const until = performance.now() + SLICE_MS
    if (work(() => performance.now() < until && deadline.timeRemaining() > 1))
      waiting = requestIdleCallback(again)
  })
  return () => cancelIdleCallback(waiting)
}
