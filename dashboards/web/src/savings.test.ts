import { describe, expect, it } from 'vitest'

import type { Flamegraph, Frame } from './api/types.ts'
import { savingsOf } from './savings.ts'

function model(label: string, tokens: Frame['tokens'], amounts: Frame['amounts'], unpriced = 0): Frame {
  return {
    id: `${label}${Math.random()}`,
    parent: null,
    service: 's',
    kind: 'model',
    label,
    self: '0',
    total: '0',
    calls: 1,
    errors: 0,
    unpriced,
    tokens,
    amounts,
  }
}

const flame = (frames: Frame[]): Flamegraph => ({
  metric: 'cost',
  unit: 'picousd',
  total: '0',
  calls: 1,
  traces: 1,
  frames,
  pruned: { nodes: 0 },
})

describe('savings', () => {
  it('compares cached tokens with the rate of fresh ones', () => {
    const { saved, cached } = savingsOf(
      flame([model('a', { input: 100, cache_read: 900 }, { input: '1000', cache_read: '900' })]),
    )
    expect(saved).toBe(8100n)
    expect(cached).toBe(0.9)
  })

  it('takes the rate of the model, not of the path', () => {
    const { saved } = savingsOf(
      flame([
        model('a', { input: 100 }, { input: '1000' }),
        model('a', { cache_read: 50 }, { cache_read: '50' }),
      ]),
    )
    expect(saved).toBe(450n)
  })

  it('counts writes that were never read as a loss', () => {
    const { saved } = savingsOf(
      flame([model('a', { input: 10, cache_write: 100 }, { input: '100', cache_write: '1250' })]),
    )
    expect(saved).toBe(-250n)
  })

  it('leaves unknown what has no rate', () => {
    const { saved, unknown } = savingsOf(flame([model('a', { cache_read: 50 }, { cache_read: '50' })]))
    expect([saved, unknown]).toEqual([0n, 50])
    expect(savingsOf(flame([model('a', { input: 5, cache_read: 50 }, {}, 1)])).saved).toBe(0n)
  })
})
