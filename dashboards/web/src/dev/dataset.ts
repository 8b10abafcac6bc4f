// Two months of the invented company's traces, built once per start. Node only.

import { createHash } from 'node:crypto'

import type { FrameRef, TokenClass, Tokens, Why } from '../api/types.ts'
import { traffic, type Shape, type Traffic, type Use } from './company.ts'
import { MODELS, price } from './prices.ts'
import { Random } from './random.ts'

const DAY = 86_400_000
const DAYS = 62

export interface Path extends FrameRef {
  parent: Path | null
}

export interface MockSpan {
  trace: MockTrace
  spanId: string
  parent: MockSpan | null
  path: Path
  name: string
  /** Microseconds since 1970. */
  start: number
  duration: number
  error: boolean
  /** A call or an aggregate. */
  call: MockCall | null
}

export interface MockCall {
  model: string
  operation: string
  responseId: string | null
  tokens: Tokens
  /** Pico-dollars by class; null = unpriced. */
  amounts: Map<TokenClass, number> | null
  cost: number
  why: Why | null
  reported: boolean
}

export interface MockTrace {
  id: string
  traffic: Traffic
  spans: MockSpan[]
  user: string | null
  session: string | null
  promptVersion: string
}

export interface Dataset {
  traces: MockTrace[]
  /** Every call and aggregate, by start. */
  calls: MockSpan[]
  paths: Map<string, Path>
}

export function buildDataset(now: number): Dataset {
  const random = new Random(20261122)
  const today = Math.floor(now / DAY) * DAY
  const dataset: Dataset = { traces: [], calls: [], paths: new Map() }
  for (let day = DAYS - 1; day >= 0; day--) {
    const start = today - day * DAY
    const weekday = new Date(start).getUTCDay()
    const weekend = weekday === 0 || weekday === 6
    for (const kind of traffic(day < 6)) {
      const growth = 1 + (DAYS - day) * 0.003
      const count = Math.round(
        kind.perDay * (weekend ? kind.weekend : 1) * growth * (0.85 + random.next() * 0.3),
      )
      for (let i = 0; i < count; i++) {
        const at = start + timeOfDay(random, kind)
        if (at < now - 4000) addTrace(dataset, random, kind, Math.round(at * 1000))
      }
    }
  }
  dataset.traces.sort((a, b) => b.spans[0]!.start - a.spans[0]!.start)
  dataset.calls.sort((a, b) => a.start - b.start)
  return dataset
}

function timeOfDay(random: Random, kind: Traffic): number {
  if (kind.at !== undefined) return (kind.at + random.next()) * 3_600_000
  const hour = 7 + ((random.next() + random.next() + random.next()) / 3) * 15
  return hour * 3_600_000
}

function addTrace(dataset: Dataset, random: Random, kind: Traffic, start: number) {
  const user = kind.users ? `u_${(random.between(1, kind.users) * 7919).toString(16)}` : null
  const trace: MockTrace = {
    id: random.hex(16),
    traffic: kind,
    spans: [],
    user,
    session: user && kind.feature === 'support chat' ? `s_${random.hex(3)}` : null,
    promptVersion: `v${random.between(3, 4)}`,
  }
  const end = addSpan(dataset, random, trace, kind.root, null, kind.root.service ?? '', start)
  for (const span of trace.spans) span.duration = Math.min(span.duration, end - span.start)
  dataset.traces.push(trace)
}

/** Adds a span and all below it; returns when it ended. */
function addSpan(
  dataset: Dataset,
  random: Random,
  trace: MockTrace,
  shape: Shape,
  parent: MockSpan | null,
  parentService: string,
  start: number,
): number {
  const service = shape.service ?? parentService
  const span: MockSpan = {
    trace,
    spanId: random.hex(8),
    parent,
    path: pathOf(dataset, parent?.path ?? null, shape, service),
    name: spanName(shape),
    start,
    duration: 0,
    error: false,
    call: null,
  }
  trace.spans.push(span)
  let clock = start + random.around(900)
  for (const child of shape.below ?? []) {
    if (child.p !== undefined && !random.chance(child.p)) continue
    const [least, most] = child.times ?? [1, 1]
    for (let n = random.between(least, most); n > 0; n--) {
      clock = addSpan(dataset, random, trace, child, span, service, clock) + random.around(2500)
    }
  }
  if (shape.use) clock += addCall(dataset, random, span, shape.use)
  if (shape.repeats) addRepeat(dataset, trace, span, shape.repeats)
  else if (!shape.use && !shape.below?.length) clock += random.around(60_000)
  span.duration = clock - start + (shape.use ? 0 : random.around(1200))
  return start + span.duration
}

function spanName(shape: Shape): string {
  if (shape.use) return `${shape.use.output ? 'chat' : 'embeddings'} ${shape.use.model}`
  if (shape.kind === 'agent') return `invoke_agent ${shape.label}`
  return shape.kind === 'tool' ? `execute_tool ${shape.label}` : shape.label
}

/** A model call: its tokens, cost, and rarely an error; returns its duration. */
function addCall(dataset: Dataset, random: Random, span: MockSpan, use: Use): number {
  const tokens: Tokens = {}
  const put = (key: TokenClass, middle: number | undefined) => {
    if (middle) tokens[key] = random.around(middle)
  }
  put('input', use.input)
  const cold = random.chance(0.2)
  if (!cold) put('cache_read', use.cached)
  if (cold || use.written)
    put('cache_write', use.written ?? (MODELS[use.model]!.rates?.cache_write ? use.cached : 0))
  put('output', use.output)
  put('reasoning', use.reasoning)
  span.error = random.chance(0.008)
  const amounts = price(use.model, tokens)
  span.call = {
    model: use.model,
    operation: use.output ? 'chat' : 'embeddings',
    responseId: use.model.startsWith('claude') ? `msg_${random.hex(9)}` : `chatcmpl-${random.hex(10)}`,
    tokens,
    amounts,
    cost: total(amounts),
    why: null,
    reported: random.chance(0.15),
  }
  dataset.calls.push(span)
  return random.around(use.ms * 1000)
}

/** A span that repeats the usage of the calls below it, and is therefore left out. */
function addRepeat(dataset: Dataset, trace: MockTrace, span: MockSpan, rule: 'a' | 'c') {
  const below = trace.spans.filter((s) => s.call && !s.call.why && isBelow(s, span))
  if (!below.length) return
  const tokens: Tokens = {}
  const amounts = new Map<TokenClass, number>()
  for (const { call } of below) {
    for (const [key, n] of Object.entries(call!.tokens))
      tokens[key as TokenClass] = (tokens[key as TokenClass] ?? 0) + n
    for (const [key, pico] of call!.amounts ?? []) amounts.set(key, (amounts.get(key) ?? 0) + pico)
  }
  span.call = {
    ...below[0]!.call!,
    responseId: null,
    tokens,
    amounts,
    cost: total(amounts),
    why: { rule, by: { trace_id: trace.id, span_id: below[0]!.spanId }, calls: below.length },
    reported: false,
  }
  dataset.calls.push(span)
}

function isBelow(span: MockSpan, above: MockSpan): boolean {
  for (let s = span.parent; s; s = s.parent) if (s === above) return true
  return false
}

const total = (amounts: Map<TokenClass, number> | null) =>
  [...(amounts?.values() ?? [])].reduce((a, b) => a + b, 0)

function pathOf(dataset: Dataset, parent: Path | null, shape: Shape, service: string): Path {
  const id = createHash('sha256')
    .update([parent?.id ?? '', service, shape.kind, shape.label].join('\0'))
    .digest('hex')
    .slice(0, 32)
  let path = dataset.paths.get(id)
  if (!path) {
    path = { id, parent, service, kind: shape.kind, label: shape.label }
    dataset.paths.set(id, path)
  }
  return path
}

export function framesTo(path: Path): FrameRef[] {
  const frames: FrameRef[] = []
  for (let p: Path | null = path; p; p = p.parent) {
    frames.unshift({ id: p.id, service: p.service, kind: p.kind, label: p.label })
  }
  return frames
}
