// Work that is not needed at once: a few milliseconds of it per frame of animation.

import { later } from './frames.ts'

/**
 * What `work` returns; while it is being worked out again, what it returned before. Undefined before the first time.
 * `work` yields often and reads no state once it is running.
 */
export function sliced<T>(work: () => Generator<undefined, T>): { readonly value: T | undefined } {
  let value = $state.raw<T>()
  $effect(() => {
    const running = work()
    let worked: { value: T } | undefined
    return later(() => {
      if (worked) return 'done'
      const step = running.next()
      if (!step.done) return 'more'
      worked = step
      value = step.value
      return 'shown'
    })
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
