// What is not needed at once shares a few milliseconds of each frame of animation, whoever has it to do.

/** Long enough to get on, short enough to leave the frame to what moves. */
const SLICE_MS = 2.5

/** A step says whether there are more; `shown`: it changed what the page shows, which is then drawn before the next one. */
export type Step = 'more' | 'shown' | 'done'

const jobs = new Set<() => Step>()
let frame = 0

/** Takes step after step, a slice of them per frame. Returns how to stop. */
export function later(step: () => Step): () => void {
  jobs.add(step)
  // The next frame has enough to do with what made this necessary.
  frame ||= requestAnimationFrame(() => (frame = requestAnimationFrame(run)))
  return () => void jobs.delete(step)
}

function run() {
  frame = 0
  const until = performance.now() + SLICE_MS
  for (;;) {
    const [step] = jobs
    if (!step) return
    const how = step()
    const over = performance.now() >= until
    if (how === 'done') jobs.delete(step)
    if (how !== 'shown' && !over) continue
    // Behind the others, so that nobody waits for all of one.
    if (jobs.delete(step)) jobs.add(step)
    break
  }
  if (jobs.size) frame ||= requestAnimationFrame(run)
}
