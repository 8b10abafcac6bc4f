import { describe, expect, it } from 'vitest'

import type { Breakdown, Flamegraph, Receipt, Summary, Timeseries, Trace, TraceList } from '../api/types.ts'
import { parseUsd, sumUsd } from '../money.ts'
import { answer } from './api.ts'
import { buildDataset } from './dataset.ts'

const now = Date.UTC(2026, 10, 22, 15)
const data = buildDataset(now)
const get = <T>(path: string) => {
  const url = new URL(path, 'http://x')
  return answer(url.pathname, { data, query: url.searchParams, now }) as T
}
const RANGE = 'from=2026-11-01T00:00:00Z&to=2026-11-22T00:00:00Z'

describe('mock', () => {
  it('adds up like the real API must', () => {
    for (const filter of ['', '&service=support-api', '&model!=gpt-5&model!=gpt-5-mini']) {
      const query = RANGE + filter
      const total = parseUsd(get<Summary>(`/summary?${query}`).cost_usd)
      expect(total).toBeGreaterThan(0n)
      const rows = get<Breakdown>(`/breakdown?by=model&limit=2&${query}`)
      expect(sumUsd([...rows.rows.map((r) => r.cost_usd), rows.rest?.cost_usd ?? '0'])).toBe(total)
      const flame = get<Flamegraph>(`/flamegraph?${query}`)
      expect(flame.frames.reduce((sum, f) => sum + BigInt(f.self), 0n)).toBe(total)
      const series = get<Timeseries>(`/timeseries?by=service&interval=hour&limit=3&${query}`)
      expect(
        sumUsd([...series.series, ...(series.rest ? [series.rest] : [])].flatMap((s) => s.cost_usd)),
      ).toBe(total)
    }
  })

  it('pages through all traces', () => {
    let next: string | null = ''
    const seen = new Set<string>()
    do {
      const page: TraceList = get(`/traces?${RANGE}&limit=500&sort=cost${next && `&cursor=${next}`}`)
      page.traces.forEach((t) => seen.add(t.trace_id))
      next = page.next
    } while (next)
    expect(seen.size).toBe(get<Summary>(`/summary?${RANGE}`).traces)
  })

  it('gives a trace and its receipts', () => {
    const [first] = get<TraceList>(`/traces?${RANGE}&service=support-api&sort=cost&limit=1`).traces
    const trace = get<Trace>(`/traces/${first!.trace_id}`)
    expect(sumUsd(trace.tree.map((s) => s.self_cost_usd))).toBe(parseUsd(trace.cost_usd))
    for (const span of trace.tree.filter((s) => s.call?.counted)) {
      const receipt = get<Receipt>(`/calls/${trace.trace_id}/${span.span_id}`)
      expect(sumUsd(receipt.lines.map((l) => l.amount_usd))).toBe(parseUsd(receipt.cost_usd!))
    }
  })
})
