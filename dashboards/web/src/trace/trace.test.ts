import { describe, expect, it } from 'vitest'

import type { Receipt, Trace, TraceSpan } from '../api/types.ts'
import { inLine, sheetOf } from './receipt.ts'
import { closedAtFirst, dearest, lengthOf, micros, rowsOf, timeStep, visibleRows } from './tree.ts'
import { inputArithmetic, outputArithmetic, reason } from './words.ts'

function span(id: string, parent: string | null, total = '0', more: Partial<TraceSpan> = {}): TraceSpan {
  return {
    span_id: id,
    parent_span_id: parent,
    missing_parent: false,
    service: '',
    kind: 'step',
    label: id,
    name: id,
    path: id,
    start: '2026-11-22T10:00:00.000000Z',
    duration_us: 10,
    error: false,
    role: 'plain',
    self_cost_usd: '0',
    total_cost_usd: total,
    calls: 0,
    unpriced: 0,
    call: null,
    ...more,
  }
}

const trace = (tree: TraceSpan[], cost_usd = '1'): Trace =>
  ({ start: '2026-11-22T10:00:00.000000Z', cost_usd, tree }) as unknown as Trace

describe('rows', () => {
  const t = trace([
    span('a', null, '1'),
    span('b', 'a', '0.4', { start: '2026-11-22T10:00:00.000250Z', duration_us: 900 }),
    span('c', 'b', '0.4'),
    span('d', 'a', '0.6'),
    span('e', null),
  ])

  it('know depth and what is below', () => {
    expect(rowsOf(t).map((r) => [r.depth, r.children, r.below])).toEqual([
      [0, 2, 3],
      [1, 1, 1],
      [2, 0, 0],
      [1, 0, 0],
      [0, 0, 0],
    ])
  })

  it('hide what is below a closed row', () => {
    const ids = (closed: string[]) => visibleRows(rowsOf(t), new Set(closed)).map((r) => r.span.span_id)
    expect(ids(['b'])).toEqual(['a', 'b', 'd', 'e'])
    expect(ids(['a', 'c'])).toEqual(['a', 'e'])
  })

  it('count time in microseconds from the first start', () => {
    expect(micros('2026-11-22T10:00:00.000250Z') - micros('2026-11-22T10:00:00Z')).toBe(250)
    expect(lengthOf(rowsOf(t))).toBe(1150)
    expect(timeStep(18_420_000, 5)).toBe(5_000_000)
    expect(timeStep(3e12, 5)).toBeGreaterThan(0)
  })

  it('close cheap parts of long traces, but never a failure', () => {
    const many = Array.from({ length: 60 }, (_, i) => span(`s${i}`, 'a', '0.001', { error: i === 7 }))
    const long = trace([span('a', null, '1'), ...many])
    const closed = closedAtFirst(long, rowsOf(long))
    expect(closed.has('a')).toBe(false)
    expect(closed.has('s1')).toBe(true)
    expect(closed.has('s7')).toBe(false)
    expect(closedAtFirst(t, rowsOf(t)).size).toBe(0)
  })

  it('begin at the dearest call that counts', () => {
    const call = (cost: string, counted: boolean) => ({
      self_cost_usd: cost,
      call: { counted } as TraceSpan['call'],
    })
    const calls = trace([
      span('a', null),
      span('b', 'a', '0', call('0.2', true)),
      span('c', 'a', '0', call('0.9', false)),
    ])
    expect(dearest(calls)).toBe('b')
    expect(dearest(trace([span('a', null)]))).toBe('a')
  })
})

describe('receipt', () => {
  const receipt = {
    lines: [
      { unit: 'input', quantity: 14_212, rate_usd: '3', per: 1_000_000, amount_usd: '0.042636' },
      { unit: 'cache_read', quantity: 9216, rate_usd: '0.3', per: 1_000_000, amount_usd: '0.0027648' },
      { unit: 'web_searches', quantity: 2, rate_usd: '10', per: 1000, amount_usd: '0.02' },
    ],
    cost_usd: '0.0654008',
    tokens: { input: 14_212, cache_read: 9216, cache_write: 2048, output: 600, reasoning: 271 },
    accounting: { rule: 'spec', reported_input: 25_476, reported_output: 871 },
  } as unknown as Receipt

  it('stands in line and is exact', () => {
    const sheet = sheetOf(receipt)
    expect(sheet.rows.map((r) => r.amount)).toEqual(['0.0426360', '0.0027648', '0.0200000'])
    expect(sheet.rows.map((r) => r.rate)).toEqual(['3.00', '0.30', '10.00'])
    expect(sheet.rows[2]!.per).toBe('per 1,000')
    expect(sheet).toMatchObject({ total: '0.0654008', adds: true })
    expect(inLine(['1234.5', '0'], 0)).toEqual(['1,234.5', '0.0'])
  })

  it('says when lines do not add up', () => {
    expect(sheetOf({ ...receipt, cost_usd: '0.0654009' }).adds).toBe(false)
  })

  it('lists tokens when there is no price', () => {
    const sheet = sheetOf({ ...receipt, cost_usd: null })
    expect(sheet.total).toBeNull()
    expect(sheet.rows[0]).toMatchObject({ name: 'input', quantity: '14,212', amount: '–' })
  })

  it('shows how classes were made disjoint', () => {
    expect(inputArithmetic(receipt)).toBe('25,476 − 9,216 − 2,048 = 14,212')
    expect(outputArithmetic(receipt)).toBe('871 − 271 = 600')
    const exclusive = {
      ...receipt,
      accounting: { rule: 'emitter_exclusive', reported_input: 14_212, reported_output: null },
    }
    expect(inputArithmetic(exclusive as unknown as Receipt)).toBeNull()
  })

  it('gives the reason in words', () => {
    expect(reason({ rule: 'a', by: null, calls: 10 })).toBe('repeats 10 calls, not counted')
    expect(reason({ rule: 'c', by: null, calls: 1 })).toBe('wraps the call below')
  })
})
