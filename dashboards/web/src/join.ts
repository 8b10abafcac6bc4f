// Rows of two periods side by side, by key; exact.

import type { Breakdown, BreakdownRow } from './api/types.ts'
import { parseUsd } from './money.ts'

export interface JoinedRow {
  /** null = absent, as in the breakdown. */
  value: string | null
  row: BreakdownRow
  cost: bigint
  /** In the other period; null = unknown (no comparison, or cut off there). */
  base: bigint | null
}

export interface Joined {
  rows: JoinedRow[]
  /** Everything beyond the rows. */
  rest: { values: number; cost: bigint; base: bigint | null; share: number | null } | null
  total: bigint
}

/** The `count` largest rows with their cost in `base`; what is left over is one rest row. A rest of one row is shown as that row. */
export function join(now: Breakdown, base: Breakdown | undefined, count: number): Joined {
  const cost = new Map(base?.rows.map((r) => [r.value, parseUsd(r.cost_usd)]))
  const before = (value: string | null): bigint | null => {
    if (!base) return null
    // A value that is not among the listed rows may still be in the rest of that period.
    return cost.get(value) ?? (base.rest ? null : 0n)
  }
  const total = parseUsd(now.total.cost_usd)
  const values = now.rows.length + (now.rest?.values ?? 0)
  const shown = values <= count + 1 && !now.rest ? now.rows : now.rows.slice(0, count)
  const rows = shown.map((row) => ({
    value: row.value,
    row,
    cost: parseUsd(row.cost_usd),
    base: before(row.value),
  }))
  if (shown.length === values) return { rows, rest: null, total }
  const restCost = total - rows.reduce((sum, r) => sum + r.cost, 0n)
  const known = rows.every((r) => r.base !== null)
  const restBase =
    base && known ? parseUsd(base.total.cost_usd) - rows.reduce((sum, r) => sum + r.base!, 0n) : null
  const share = total === 0n ? null : Number((restCost * 1_000_000n) / total) / 1e6
  return { rows, rest: { values: values - shown.length, cost: restCost, base: restBase, share }, total }
}
