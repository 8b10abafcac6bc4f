import { expect, it } from 'vitest'

import type { PromptRow, Sums } from '../../api/types.ts'
import {
  cachedShare,
  costPerCall,
  fullCaching,
  growth,
  receivedPerCall,
  sentPerCall,
  versionsOf,
} from './figures.ts'

const sums = (calls: number, tokens: Sums['tokens'], cost_usd = '0', unpriced = 0): Sums => ({
  cost_usd,
  calls,
  errors: 0,
  tokens,
  unpriced: { calls: unpriced, tokens: 0 },
})
const row = (patch: Partial<PromptRow>): PromptRow => ({
  ...sums(1, {}),
  prompt: 'p',
  version: null,
  models: [],
  trend: [],
  repeats: { calls: 0, cost_usd: '0' },
  identical: { calls: 0, cost_usd: '0' },
  fingerprint: null,
  fingerprinted: 0,
  varies: false,
  ...patch,
})

it('counts what is sent and received per call', () => {
  const s = sums(4, { input: 100, cache_read: 300, output: 60, reasoning: 20 }, '3', 1)
  expect([sentPerCall(s), receivedPerCall(s), cachedShare(s)]).toEqual([100, 20, 0.75])
  expect(costPerCall(s)).toBe(1_000_000_000_000n)
  expect(costPerCall(sums(2, {}, '0', 2))).toBeNull()
  expect(sentPerCall(sums(0, {}))).toBeNull()
})

it('sees a prompt grow, given enough calls', () => {
  const grows = [10, 10, 12, 13, 15, 15].map((n) => sums(10, { input: n * 10 }))
  expect(growth(grows)).toBeCloseTo(0.5)
  expect(growth(grows.map((s) => ({ ...s, calls: 1 })))).toBeNull()
  expect(growth([])).toBeNull()
})

it('prices full caching at the rates that were paid', () => {
  const paid = (model: string, input?: bigint, cache_read?: bigint) => ({
    model,
    cost: 0n,
    perMillion: {
      ...(input === undefined ? {} : { input }),
      ...(cache_read === undefined ? {} : { cache_read }),
    },
  })
  const models = [
    { model: 'a', ...sums(1, { input: 2_000_000 }) },
    { model: 'b', ...sums(1, { input: 5 }) },
  ]
  expect(fullCaching(row({ models }), [paid('a', 3n, 1n), paid('b', 3n)])).toEqual({
    saved: 4n,
    partial: true,
  })
  expect(fullCaching(row({ models }), [paid('a', 1n, 3n), paid('b', 3n, 1n)])).toEqual({
    saved: 0n,
    partial: false,
  })
  expect(fullCaching(row({ models }), [])).toBeNull()
})

it('finds the versions of a name', () => {
  const rows = [row({ version: '1' }), row({ version: '2' }), row({ prompt: 'q' }), row({ prompt: null })]
  expect(versionsOf(rows[0]!, rows)).toEqual(rows.slice(0, 2))
  expect(versionsOf(rows[3]!, rows)).toEqual([rows[3]])
})
