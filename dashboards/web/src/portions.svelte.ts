// Long lists that change without being felt: a portion of their rows per frame of animation.

import { untrack } from 'svelte'

import { later } from './frames.ts'

const PORTION = 10

/**
 * Follows a list from its top, `PORTION` rows per frame of animation; rows that were not reached yet stay what they
 * were. Show it keyed by position, so that rows are changed, not made anew.
 */
export function portions<T>(list: () => T[]): { readonly value: T[] } {
  let shown = $state.raw<T[]>([])
  $effect(() => {
    const wanted = list()
    const before = untrack(() => shown)
    let done = 0
    return later(() => {
      if (shown === wanted) return 'done'
      done += PORTION
      const finished = done >= Math.max(wanted.length, before.length)
      shown = finished ? wanted : [...wanted.slice(0, done), ...before.slice(done)]
      return 'shown'
    })
  })
  return {
    get value() {
      return shown
    },
  }
}
