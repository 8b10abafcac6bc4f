import { expect, it } from 'vitest'

import type { CallRow } from '../../api/types.ts'
import { merge } from './feed.svelte.ts'

const call = (span_id: string, start: string, cost_usd = '1') =>
  ({ trace_id: 't', span_id, start, cost_usd }) as CallRow

it('puts newer calls in: newest first, each once, as it was told last', () => {
  const before = [call('b', '2'), call('a', '1')]
  const after = merge(before, [call('c', '1.5'), call('a', '1', '9')])
  expect(after.map((c) => [c.span_id, c.cost_usd])).toEqual([
    ['b', '1'],
    ['c', '1'],
    ['a', '9'],
  ])
})

it('keeps a bounded number', () => {
  const many = Array.from({ length: 900 }, (_, i) => call(String(i), String(1000 + i)))
  const kept = merge([], many)
  expect(kept).toHaveLength(500)
  expect(kept[0]!.span_id).toBe('899')
})
