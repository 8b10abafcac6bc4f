import { describe, expect, it } from 'vitest'

import type { Breakdown, BreakdownRow } from './api/types.ts'
import { join } from './join.ts'
import { parseUsd, printUsd, sumUsd } from './money.ts'

const sums = (cost_usd: string) => ({
  cost_usd,
  calls: 1,
  errors: 0,
  tokens: {},
  unpriced: { calls: 0, tokens: 0 },
})
const row = (value: string | null, cost: string): BreakdownRow => ({ value, share: null, ...sums(cost) })

function breakdown(rows: [string | null, string][], rest: [number, string] | null = null): Breakdown {
  const costs = [...rows.map(([, cost]) => cost), rest?.[1] ?? '0']
  return {
    by: 'model',
    total: sums(printUsd(sumUsd(costs))),
    rows: rows.map(([value, cost]) => row(value, cost)),
    rest: rest && { values: rest[0], share: null, ...sums(rest[1]) },
  }
}

describe('join', () => {
  it('pairs rows by key, with zero for what is new', () => {
    const now = breakdown([
      ['a', '3'],
      [null, '2'],
      ['new', '1'],
    ])
    const base = breakdown([
      [null, '5'],
      ['a', '1'],
      ['gone', '4'],
    ])
    const joined = join(now, base, 10)
    expect(joined.rows.map((r) => [r.value, r.base])).toEqual([
      ['a', parseUsd('1')],
      [null, parseUsd('5')],
      ['new', 0n],
    ])
    expect(joined.rest).toBeNull()
  })

  it('adds up exactly with the rest, in both periods', () => {
    const now = breakdown(
      [
        ['a', '0.1'],
        ['b', '0.07'],
        ['c', '0.03'],
      ],
      [4, '0.000000000001'],
    )
    const base = breakdown([
      ['a', '0.2'],
      ['c', '0.1'],
      ['b', '0.05'],
    ])
    const joined = join(now, base, 2)
    expect(joined.rest!.values).toBe(5)
    expect(joined.rows.reduce((s, r) => s + r.cost, joined.rest!.cost)).toBe(parseUsd(now.total.cost_usd))
    expect(joined.rows.reduce((s, r) => s + r.base!, joined.rest!.base!)).toBe(parseUsd(base.total.cost_usd))
  })

  it('does not call zero what was cut off', () => {
    const joined = join(breakdown([['new', '1']]), breakdown([['a', '3']], [9, '1']), 10)
    expect(joined.rows[0]!.base).toBeNull()
    expect(join(breakdown([['a', '1']]), undefined, 10).rows[0]!.base).toBeNull()
  })

  it('shows a single left-over row as itself', () => {
    const now = breakdown([
      ['a', '3'],
      ['b', '2'],
      ['c', '1'],
    ])
    expect(join(now, undefined, 2).rows).toHaveLength(3)
    expect(join(now, undefined, 1).rest!.values).toBe(2)
  })
})
