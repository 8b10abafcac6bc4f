import { expect, it } from 'vitest'

import { MINUTE, minutes } from './minutes.ts'

const NOW = Date.UTC(2026, 10, 22, 12, 30, 20)
const told = (ago: number, cost_usd: string, calls: number) => ({
  start: new Date(Math.floor(NOW / MINUTE) * MINUTE - ago * MINUTE).toISOString(),
  cost_usd,
  calls,
})

it('fills the minutes nobody told of', () => {
  const list = minutes([told(0, '0.75', 3), told(2, '0', 1), told(10, '7', 9)], NOW, 4)
  expect(list.map((m) => [new Date(m.start).getUTCMinutes(), m.cost, m.calls])).toEqual([
    [27, 0n, 0],
    [28, 0n, 1],
    [29, 0n, 0],
    [30, 750_000_000_000n, 3],
  ])
})
