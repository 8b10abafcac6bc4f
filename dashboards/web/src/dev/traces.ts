// Trace list, trace and receipt of the mock API.

import type {
  CallBrief,
  CallList,
  Receipt,
  Tokens,
  Trace,
  TraceList,
  TraceRow,
  TraceSpan,
  TokenClass,
} from '../api/types.ts'
import { printUsd } from '../money.ts'
import type { Context } from './api.ts'
import { framesTo, type Dataset, type MockSpan, type MockTrace } from './dataset.ts'
import { BadRequest, number, select, totalOf } from './query.ts'
import { MODELS, receiptLines } from './prices.ts'

const time = (us: number) =>
  `${new Date(us / 1000).toISOString().slice(0, -1)}${(us % 1000).toString().padStart(3, '0')}Z`
const counted = (span: MockSpan) => span.call !== null && span.call.why === null

function row(trace: MockTrace): TraceRow {
  const total = totalOf(trace.spans.filter(counted))
  const root = trace.spans[0]!
  const { cost_usd, calls, errors, unpriced, tokens } = total.sums()
  return {
    trace_id: trace.id,
    start: time(root.start),
    duration_us: root.duration,
    root: { service: root.path.service, kind: root.path.kind, label: root.path.label, name: root.name },
    cost_usd,
    calls,
    errors,
    unpriced: unpriced.calls,
    tokens,
    spans: trace.spans.length,
    services: [...new Set(trace.spans.map((s) => s.path.service))].sort(),
  }
}

const ORDERS: Record<string, (t: MockTrace) => number> = {
  start: (t) => t.spans[0]!.start,
  duration: (t) => t.spans[0]!.duration,
  cost: (t) => t.spans.filter(counted).reduce((sum, s) => sum + s.call!.cost, 0),
  calls: (t) => t.spans.filter(counted).length,
}

export function traceList({ data, query, now }: Context): TraceList {
  const by = ORDERS[query.get('sort') ?? 'start']
  if (!by) throw new BadRequest('sort', `There is no order "${query.get('sort')}".`)
  const sign = query.get('order') === 'asc' ? 1 : -1
  const traces = [...new Set(select(data, query, now).map((s) => s.trace))]
    .map((t) => ({ t, key: by(t) }))
    .sort((a, b) => sign * (a.key - b.key) || a.t.id.localeCompare(b.t.id))
  const limit = number(query, 'limit', 50, 500)
  const skip = query.get('cursor') ? number(query, 'cursor', 0, Infinity) : 0
  return {
    traces: traces.slice(skip, skip + limit).map(({ t }) => row(t)),
    next: skip + limit < traces.length ? String(skip + limit) : null,
  }
}

function brief(span: MockSpan): CallBrief {
  const call = span.call!
  return {
    provider: MODELS[call.model]!.provider,
    model: MODELS[call.model]!.served,
    operation: call.operation,
    response_id: call.responseId,
    tokens: call.tokens,
    cost_usd: call.amounts ? printUsd(BigInt(call.cost)) : null,
    unpriced: call.amounts ? null : 'unknown_model',
    counted: !call.why,
    why: call.why,
    flags: call.why?.rule === 'a' ? ['aggregate'] : span.error ? ['failed_with_usage'] : [],
  }
}

export function callList({ data, query, now }: Context): CallList {
  const spans = select(data, query, now, true).toSorted((a, b) => b.start - a.start)
  const limit = number(query, 'limit', 100, 1000)
  const calls = spans.slice(0, limit).map((span) => ({
    ...brief(span),
    trace_id: span.trace.id,
    span_id: span.spanId,
    start: time(span.start),
    duration_us: span.duration,
    service: span.path.service,
    error: span.error,
  }))
  return { calls, next: spans.length > limit ? String(limit) : null }
}

export function trace(data: Dataset, id: string): Trace | null {
  const found = data.traces.find((t) => t.id === id)
  if (!found) return null
  const excluded = found.spans.filter((s) => s.call?.why)
  return {
    ...row(found),
    settled: true,
    attribution: attribution(found),
    excluded: {
      calls: excluded.length,
      cost_usd: printUsd(excluded.reduce((sum, s) => sum + BigInt(s.call!.cost), 0n)),
      rules: [...new Set(excluded.map((s) => s.call!.why!.rule))].sort(),
    },
    tree: found.spans.map((span) => treeSpan(found, span)),
    truncated: 0,
  }
}

function attribution(trace: MockTrace) {
  return {
    environment: trace.traffic.environment,
    feature: trace.traffic.feature,
    user: trace.user,
    session: trace.session,
    agent: null,
    tool: null,
    prompt: null,
    prompt_version: null,
    tags: {},
  }
}

function treeSpan(trace: MockTrace, span: MockSpan): TraceSpan {
  const below = trace.spans.filter((s) => {
    for (let p: MockSpan | null = s; p; p = p.parent) if (p === span) return counted(s)
    return false
  })
  const total = totalOf(below)
  return {
    span_id: span.spanId,
    parent_span_id: span.parent?.spanId ?? null,
    missing_parent: false,
    service: span.path.service,
    kind: span.path.kind,
    label: span.path.label,
    name: span.name,
    path: span.path.id,
    start: time(span.start),
    duration_us: span.duration,
    error: span.error,
    role: span.call ? (span.call.why ? 'aggregate' : 'call') : 'plain',
    self_cost_usd: counted(span) ? printUsd(BigInt(span.call!.cost)) : '0',
    total_cost_usd: printUsd(total.cost),
    calls: total.calls,
    unpriced: total.unpricedCalls,
    call: span.call ? brief(span) : null,
  }
}

const inputs: TokenClass[] = ['input', 'cache_read', 'cache_write']
const sum = (tokens: Tokens, classes: TokenClass[]) => classes.reduce((n, c) => n + (tokens[c] ?? 0), 0)

export function receipt(data: Dataset, traceId: string, spanId: string): Receipt | null {
  const found = data.traces.find((t) => t.id === traceId)
  const span = found?.spans.find((s) => s.spanId === spanId)
  if (!found || !span?.call) return null
  const call = span.call
  const model = MODELS[call.model]!
  const cost = call.amounts ? printUsd(BigInt(call.cost)) : null
  const exclusive = model.provider === 'anthropic' && found.traffic.emitter.includes('langchain')
  return {
    ...brief(span),
    trace_id: traceId,
    span_id: spanId,
    start: time(span.start),
    duration_us: span.duration,
    service: span.path.service,
    error: span.error,
    name: span.name,
    kind: span.path.kind,
    label: span.path.label,
    path: framesTo(span.path),
    role: call.why ? 'aggregate' : 'call',
    request_model: call.model,
    response_model: model.served,
    attribution: attribution(found),
    emitter: found.traffic.emitter,
    signal: 'span',
    lines: receiptLines(call.model, call.tokens),
    price: model.rates
      ? { provider: model.provider, model: call.model, condition: model.condition, since: model.since }
      : null,
    catalog: {
      id: '9f2c4e1b70a8d513',
      source: 'genai-prices',
      fetched_at: '2026-11-20T04:00:00Z',
      sha256: '9f2c4e1b70a8d51377aa02c1be4409d1f4c0a7e65b21c38d0e9f5a6b7c8d9e0f',
    },
    accounting: {
      rule: exclusive ? 'emitter_exclusive' : 'spec',
      reported_input: exclusive ? (call.tokens.input ?? 0) : sum(call.tokens, inputs),
      reported_output: sum(call.tokens, ['output', 'reasoning']),
    },
    reported_cost_usd: call.reported ? cost : null,
    excluded: found.spans
      .filter((s) => s.call?.why?.by?.span_id === spanId)
      .map((s) => ({
        trace_id: traceId,
        span_id: s.spanId,
        service: s.path.service,
        kind: s.path.kind,
        label: s.path.label,
        rule: s.call!.why!.rule,
        cost_usd: printUsd(BigInt(s.call!.cost)),
      })),
  }
}
