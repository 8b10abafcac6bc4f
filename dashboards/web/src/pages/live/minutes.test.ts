import { expect, it } from 'vitest'

import type { CallRow } from '../../api/types.ts'
import { MINUTE, minutes } from './minutes.ts'

const NOW = Date.UTC(2026, 10, 22, 12, 30, 20)
const call = (ago: number, cost: string | null, counted = true) =>
  ({ start: new Date(NOW - ago).toISOString(), cost_usd: cost, counted }) as CallRow

it('sums the calls of each minute', () => {
  const list = minutes(
    [
      call(1000, '0.5'),
      call(19_000, '0.25'),
      call(21_000, '1'),
      call(3000, '9', false),
      call(2000, null),
      call(10 * MINUTE, '7'),
    ],
    NOW,
    3,
  )
  expect(list.map((m) => [new Date(m.start).getUTCMinutes(), m.cost, m.calls])).toEqual([
    [28, 0n, 0],
    [29, 1_000_000_000_000n, 1],
    [30, 750_000_000_000n, 3],
  ])
})
