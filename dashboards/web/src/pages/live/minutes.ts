// Calls of the last minutes, by minute.

import type { CallRow } from '../../api/types.ts'
import { parseUsd } from '../../money.ts'

export const MINUTE = 60_000

export interface Minute {
  /** Epoch milliseconds. */
  start: number
  cost: bigint
  calls: number
}

/** The `count` minutes up to and with that of `now`; calls that do not count are left out. */
export function minutes(calls: CallRow[], now: number, count: number): Minute[] {
  const last = Math.floor(now / MINUTE) * MINUTE
  const list = Array.from({ length: count }, (_, i): Minute => {
    return { start: last - (count - 1 - i) * MINUTE, cost: 0n, calls: 0 }
  })
  for (const call of calls) {
    if (!call.counted) continue
    const at = Math.floor(Date.parse(call.start) / MINUTE) * MINUTE
    const minute = list[(at - list[0]!.start) / MINUTE]
    if (!minute) continue
    minute.calls++
    if (call.cost_usd !== null) minute.cost += parseUsd(call.cost_usd)
  }
  return list
}
