// A value that follows another one when that has not changed for a while.

import { untrack } from 'svelte'

const PAUSE_MS = 250

/** Typing asks no questions; a pause does. */
export function pause<T>(value: () => T): { readonly value: T } {
  let settled = $state.raw(untrack(value))
  $effect(() => {
    const next = value()
    if (next === untrack(() => settled)) return
    const timer = setTimeout(() => (settled = next), PAUSE_MS)
    return () => clearTimeout(timer)
  })
  return {
    get value() {
      return settled
    },
  }
}
