// Work that is not needed at once: a few milliseconds of it per frame of animation.

/** Long enough to get on, short enough to leave the frame to what moves. */
const SLICE_MS = 2.5

/**
 * What `work` returns; while it is being worked out again, what it returned before. Undefined before the first time.
 * `work` yields often and reads no state once it is running.
 */
export function sliced<T>(work: () => Generator<undefined, T>): { readonly value: T | undefined } {
  let value = $state.raw<T>()
  $effect(() => {
    const running = work()
    let frame = requestAnimationFrame(function slice() {
      const until = performance.now() + SLICE_MS
      do {
        const step = running.next()
        if (step.done) {
          value = step.value
          return
        }
      } while (performance.now() < until)
      frame = requestAnimationFrame(slice)
    })
    return () => cancelAnimationFrame(frame)
  })
  return {
    get value() {
      return value
    },
  }
}

/** The same at once. */
export function finish<T>(work: Generator<undefined, T>): T {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
  }
}
