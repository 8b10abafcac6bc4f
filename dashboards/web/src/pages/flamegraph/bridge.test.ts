import { describe, expect, it } from 'vitest'

import type { CauseWord, WhyChanged, WhySide } from '../../api/types.ts'
import { bridge, stepsOf } from './bridge.ts'

const side = (cost_usd: string, calls: number) => ({ cost_usd, calls }) as WhySide
const why = (base: WhySide, now: WhySide, steps: Partial<Record<CauseWord, string>>): WhyChanged => ({
  base,
  now,
  change_usd: '',
  steps: (['calls', 'models', 'prompt', 'cache', 'output', 'price'] as const).map((cause) => ({
    cause,
    amount_usd: steps[cause] ?? '0',
  })),
  models: [],
})

// Twice as many traces, and one call more in each of them; prompts became longer.
const answer = why(side('10', 10), side('36', 30), { calls: '20', prompt: '6' })
const DOLLAR = 1_000_000_000_000n

describe('the bridge of a change', () => {
  it('leads from one side to the other', () => {
    const { before, steps } = stepsOf(answer, null)
    expect(before).toBe(10n * DOLLAR)
    expect(steps.reduce((sum, s) => sum + s.amount, before)).toBe(36n * DOLLAR)
  })

  it('tells more traces from more calls when the base is brought to as many', () => {
    const { before, steps } = stepsOf(answer, { now: 20, base: 10 })
    expect(before).toBe(20n * DOLLAR)
    expect(steps[0]).toEqual({ cause: 'calls', amount: 10n * DOLLAR })
    expect(steps.reduce((sum, s) => sum + s.amount, before)).toBe(36n * DOLLAR)
  })

  it('adds up to the last digit where traces do not divide the cost', () => {
    const { before, steps } = stepsOf(answer, { now: 20, base: 3 })
    expect(steps.reduce((sum, s) => sum + s.amount, before)).toBe(36n * DOLLAR)
  })

  it('has one step where one side has no calls', () => {
    const gone = why(side('10', 10), side('0', 0), { calls: '-10' })
    const { before, steps } = stepsOf(gone, { now: 20, base: 10 })
    expect([before, steps]).toEqual([20n * DOLLAR, [{ cause: 'calls', amount: -20n * DOLLAR }]])
  })

  it('names its ends and its steps', () => {
    const names = bridge(answer, { now: 20, base: 10 }, 'before', 'now').map((pier) => pier.name)
    expect(names.slice(0, 2)).toEqual(['before', 'More calls a trace'])
    expect(names.at(-1)).toBe('now')
  })
})
