// The last minutes, each with what it cost.

import type { Live } from '../../api/types.ts'
import { parseUsd } from '../../money.ts'

export const MINUTE = 60_000

export interface Minute {
  /** Epoch milliseconds. */
  start: number
  cost: bigint
  calls: number
}

/** The `count` minutes up to and with that of `now`; those that were not told of are empty. */
export function minutes(told: Live['minutes'], now: number, count: number): Minute[] {
  const last = Math.floor(now / MINUTE) * MINUTE
  const known = new Map(told.map((m) => [Date.parse(m.start), m]))
  return Array.from({ length: count }, (_, i) => {
    const start = last - (count - 1 - i) * MINUTE
    const m = known.get(start)
    return { start, cost: parseUsd(m?.cost_usd ?? '0'), calls: m?.calls ?? 0 }
  })
}
