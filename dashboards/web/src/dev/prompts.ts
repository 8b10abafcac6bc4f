// Prompts, waste and the live feed of the mock API.

import type { Live, PromptList, PromptRow, Waste } from '../api/types.ts'
import { printUsd } from '../money.ts'
import type { Context } from './api.ts'
import { framesTo, type MockSpan } from './dataset.ts'
import { count, instant, number, select, totalOf, valueOf } from './query.ts'
import { callList } from './traces.ts'

/** Spans by the text of a key. */
function grouped(spans: MockSpan[], key: (span: MockSpan) => string): MockSpan[][] {
  const groups = new Map<string, MockSpan[]>()
  for (const span of spans) {
    const mine = groups.get(key(span))
    if (mine) mine.push(span)
    else groups.set(key(span), [span])
  }
  return [...groups.values()]
}

const version = (span: MockSpan) => (valueOf(span, 'prompt') === null ? null : span.trace.promptVersion)
const sent = (span: MockSpan) => {
  const { output = 0, reasoning = 0 } = span.call!.tokens
  return count(span.call!.tokens) - output - reasoning
}

/** All but the dearest of calls that agree. */
function repeats(spans: MockSpan[], key: (span: MockSpan) => string) {
  let calls = 0
  let cost = 0n
  const same = grouped(
    spans.filter((s) => !s.error && sent(s) > 0),
    (s) => `${key(s)} ${s.path.id} ${s.call!.model} ${sent(s)}`,
  )
  for (const group of same.filter((g) => g.length > 1)) {
    const costs = group.map((s) => s.call!.cost)
    calls += group.length - 1
    cost += BigInt(costs.reduce((a, b) => a + b, 0) - Math.max(...costs))
  }
  return { calls, cost_usd: printUsd(cost) }
}

export function prompts({ data, query, now }: Context): PromptList {
  const from = instant(query, 'from', now - 30 * 86_400_000)
  const to = instant(query, 'to', now)
  const parts = number(query, 'parts', 30, 100)
  const limit = number(query, 'limit', 100, 1000)
  const width = (to - from) / parts
  const groups = grouped(select(data, query, now), (s) => {
    const prompt = valueOf(s, 'prompt')
    return prompt === null ? s.path.id : `${prompt}\n${version(s)}`
  })
  const rows = groups.map((spans): PromptRow & { cost: bigint } => {
    const first = spans[0]!
    const total = totalOf(spans)
    const prompt = valueOf(first, 'prompt')
    const trend: MockSpan[][] = Array.from({ length: parts }, () => [])
    for (const s of spans) trend[Math.min(parts - 1, Math.floor((s.start / 1000 - from) / width))]!.push(s)
    return {
      cost: total.cost,
      prompt,
      version: version(first),
      ...(prompt === null ? { path: framesTo(first.path) } : {}),
      ...total.sums(),
      models: grouped(spans, (s) => s.call!.model).map((mine) => ({
        model: mine[0]!.call!.model,
        ...totalOf(mine).sums(),
      })),
      trend: trend.map((mine) => totalOf(mine).sums()),
      fingerprint: null,
      fingerprinted: 0,
      varies: false,
      identical: { calls: 0, cost_usd: '0' },
      repeats: repeats(spans, () => ''),
    }
  })
  rows.sort((a, b) => Number(b.cost > a.cost) - Number(b.cost < a.cost))
  return {
    parts: trendStarts(from, width, parts),
    prompts: rows.slice(0, limit).map(({ cost: _, ...row }) => row),
    rest: null,
  }
}

const trendStarts = (from: number, width: number, parts: number) =>
  Array.from({ length: parts }, (_, i) => new Date(from + i * width).toISOString())

export function waste({ data, query, now }: Context): Waste {
  const spans = select(data, query, now)
  const failed = totalOf(spans.filter((s) => s.error))
  return {
    failed: { calls: failed.calls, cost_usd: printUsd(failed.cost) },
    repeated: repeats(spans, (s) => s.trace.id),
  }
}

/** The first event; the mock has no others. */
export function live(context: Context): Live {
  const { now } = context
  const from = now - 3_600_000
  const query = new URLSearchParams(context.query)
  query.delete('after')
  query.set('from', String(from))
  query.set('to', String(now))
  const minute = (s: MockSpan) => Math.floor(s.start / 60_000_000)
  return {
    at: new Date(now).toISOString(),
    calls: callList({ ...context, query }).calls,
    minutes: grouped(select(context.data, query, now), (s) => String(minute(s))).map((spans) => ({
      start: new Date(minute(spans[0]!) * 60_000).toISOString(),
      calls: spans.length,
      cost_usd: printUsd(totalOf(spans).cost),
    })),
    pending: { traces: 3, calls: 41, cost_usd_at_most: '0.84' },
  }
}
