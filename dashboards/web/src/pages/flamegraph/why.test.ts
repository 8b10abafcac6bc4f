import { describe, expect, it } from 'vitest'

import type { Amounts, Summary, Tokens } from '../../api/types.ts'
import { parseUsd, sumUsd } from '../../money.ts'
import { why } from './why.ts'

function summary(calls: number, tokens: Tokens, amounts: Amounts): Summary {
  const cost = sumUsd(Object.values(amounts))
  return {
    cost_usd: `${cost / 1_000_000_000_000n}.${(cost % 1_000_000_000_000n).toString().padStart(12, '0')}`,
    calls,
    errors: 0,
    tokens,
    unpriced: { calls: 0, tokens: 0 },
    traces: calls,
    amounts,
    pending: { traces: 0, calls: 0, cost_usd_at_most: '0' },
    coverage: { calls: 1, tokens: 1 },
    excluded: { calls: 0, cost_usd: '0' },
    errors_cost_usd: '0',
  }
}

const BASE = summary(
  100,
  { input: 1000, cache_read: 9000, output: 500 },
  { input: '1', cache_read: '0.9', output: '2' },
)
const steps = (now: Summary) => new Map(why(BASE, now)!.map((s) => [s.cause, s.amount]))

describe('why', () => {
  it('adds up to the change, whatever the sides', () => {
    for (let i = 1; i < 60; i++) {
      const now = summary(
        (i * 37) % 211,
        {
          input: (i * 7919) % 5003,
          cache_read: (i * 104729) % 7001,
          output: (i * 13) % 97,
          reasoning: i % 5,
        },
        { input: `${i % 9}.123456789012`, cache_read: `0.00000000000${i % 10}`, output: '3.3', other: '0.5' },
      )
      const split = why(BASE, now)
      if (!now.calls) {
        expect(split).toBeNull()
        continue
      }
      const sum = split!.reduce((all, s) => all + s.amount, 0n)
      expect(sum).toBe(parseUsd(now.cost_usd) - parseUsd(BASE.cost_usd))
    }
  })

  it('finds more calls of the same kind', () => {
    const twice = summary(
      200,
      { input: 2000, cache_read: 18000, output: 1000 },
      { input: '2', cache_read: '1.8', output: '4' },
    )
    expect(steps(twice).get('calls')).toBe(parseUsd('3.9'))
    expect(steps(twice).get('cache')).toBe(0n)
  })

  it('finds lost cache hits', () => {
    const lost = summary(100, { input: 10_000, output: 500 }, { input: '10', output: '2' })
    expect(steps(lost).get('cache')).toBe(parseUsd('8.1'))
    expect(steps(lost).get('prompt')).toBe(0n)
  })

  it('finds longer prompts, longer output and dearer prices', () => {
    const prompts = summary(
      100,
      { input: 2000, cache_read: 18000, output: 500 },
      { input: '2', cache_read: '1.8', output: '2' },
    )
    expect(steps(prompts).get('prompt')).toBe(parseUsd('1.9'))
    const output = summary(
      100,
      { input: 1000, cache_read: 9000, output: 1000 },
      { input: '1', cache_read: '0.9', output: '4' },
    )
    expect(steps(output).get('output')).toBe(parseUsd('2'))
    const price = summary(
      100,
      { input: 1000, cache_read: 9000, output: 500 },
      { input: '2', cache_read: '1.8', output: '4' },
    )
    expect(steps(price).get('price')).toBe(parseUsd('3.9'))
  })
})
