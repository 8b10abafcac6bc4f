// The filter grammar and the sums of the mock API.

import type { Sums, TokenClass, Tokens } from '../api/types.ts'
import { printUsd } from '../money.ts'
import type { Dataset, MockSpan, Path } from './dataset.ts'
import { MODELS } from './prices.ts'

export class BadRequest extends Error {
  readonly field: string
  constructor(field: string, message: string) {
    super(message)
    this.field = field
  }
}

const KEYS = new Set(
  'model provider service environment feature agent tool operation user session prompt path status counted flag unpriced fingerprint'.split(
    ' ',
  ),
)
const OTHER = new Set(
  'from to tz by interval limit cursor sort order metric max_nodes key q base_from base_to class parts after'.split(
    ' ',
  ),
)

const PLANS = ['free', 'team', 'enterprise']

/** The value of a dimension for one call; null = absent. */
export function valueOf(span: MockSpan, key: string): string | null {
  const { trace, call } = span
  switch (key) {
    case 'model':
      return call!.model
    case 'provider':
      return MODELS[call!.model]!.provider
    case 'service':
      return span.path.service
    case 'environment':
      return trace.traffic.environment
    case 'feature':
      return trace.traffic.feature
    case 'user':
      return trace.user
    case 'session':
      return trace.session
    case 'operation':
      return call!.operation
    case 'agent':
    case 'tool':
      for (let p: Path | null = span.path; p; p = p.parent) if (p.kind === key) return p.label
      return null
    case 'prompt': {
      const agent = valueOf(span, 'agent')
      return agent && `${agent}-system`
    }
    case 'tag.plan':
      return trace.user && PLANS[trace.user.charCodeAt(trace.user.length - 1) % PLANS.length]!
    case 'path':
      return span.path.id
    case 'status':
      return span.error ? 'error' : 'ok'
    case 'counted':
      return String(!call!.why)
    case 'unpriced':
      return call!.amounts ? null : 'unknown_model'
    default:
      return null
  }
}

function passes(span: MockSpan, key: string, wanted: string): boolean {
  if (key !== 'path') return (valueOf(span, key) ?? '') === wanted
  for (let p: Path | null = span.path; p; p = p.parent) if (p.id === wanted) return true
  return false
}

/** Calls of the range that pass the filters; only counted ones unless the query speaks of `counted`. */
export function select(data: Dataset, query: URLSearchParams, now: number, everything = false): MockSpan[] {
  const from = instant(query, 'from', now - 30 * 86_400_000) * 1000
  const to = instant(query, 'to', now) * 1000
  const groups = new Map<string, string[]>()
  for (const [name, value] of query) {
    const key = name.replace(/!$/, '')
    if (!KEYS.has(key) && !key.startsWith('tag.')) {
      if (name.startsWith('base.')) continue
      if (!OTHER.has(name)) throw new BadRequest(name, `There is no parameter "${name}".`)
      continue
    }
    groups.set(name, [...(groups.get(name) ?? []), value])
  }
  const all = everything || groups.has('counted') || groups.has('counted!')
  return data.calls.filter((span) => {
    if (span.start < from || span.start >= to || (!all && span.call!.why)) return false
    for (const [name, values] of groups) {
      const not = name.endsWith('!')
      const key = not ? name.slice(0, -1) : name
      if (values.some((value) => passes(span, key, value)) === not) return false
    }
    return true
  })
}

export function instant(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name)
  if (text === null) return otherwise
  const ms = /^-?\d+$/.test(text) ? Number(text) : Date.parse(text)
  if (Number.isNaN(ms)) throw new BadRequest(name, `"${text}" is neither RFC 3339 nor epoch milliseconds.`)
  return ms
}

export function number(query: URLSearchParams, name: string, otherwise: number, most: number): number {
  const text = query.get(name)
  if (text === null) return otherwise
  const n = Number(text)
  if (!Number.isInteger(n) || n < 1) throw new BadRequest(name, `"${text}" is not a positive integer.`)
  return Math.min(n, most)
}

/** Running sums over counted calls. */
export class Total {
  cost = 0n
  calls = 0
  /** Microseconds. */
  duration = 0
  errors = 0
  errorsCost = 0n
  unpricedCalls = 0
  unpricedTokens = 0
  tokens: Tokens = {}
  amounts = new Map<TokenClass, bigint>()

  add(span: MockSpan) {
    const call = span.call!
    this.calls++
    this.duration += span.duration
    this.cost += BigInt(call.cost)
    if (span.error) {
      this.errors++
      this.errorsCost += BigInt(call.cost)
    }
    for (const [key, n] of Object.entries(call.tokens))
      this.tokens[key as TokenClass] = (this.tokens[key as TokenClass] ?? 0) + n
    if (!call.amounts) {
      this.unpricedCalls++
      this.unpricedTokens += count(call.tokens)
    }
    for (const [key, pico] of call.amounts ?? [])
      this.amounts.set(key, (this.amounts.get(key) ?? 0n) + BigInt(pico))
  }

  sums(): Sums {
    return {
      cost_usd: printUsd(this.cost),
      calls: this.calls,
      errors: this.errors,
      tokens: this.tokens,
      unpriced: { calls: this.unpricedCalls, tokens: this.unpricedTokens },
    }
  }
}

export const count = (tokens: Tokens) => Object.values(tokens).reduce((a, b) => a + b, 0)

export function totalOf(spans: Iterable<MockSpan>): Total {
  const total = new Total()
  for (const span of spans) total.add(span)
  return total
}

/** Groups with their totals, largest cost first. */
export function groupBy(spans: MockSpan[], key: string): [string | null, Total][] {
  const groups = new Map<string | null, Total>()
  for (const span of spans) {
    const value = valueOf(span, key)
    let total = groups.get(value)
    if (!total) groups.set(value, (total = new Total()))
    total.add(span)
  }
  return [...groups].sort(
    ([va, a], [vb, b]) =>
      Number(b.cost > a.cost) - Number(b.cost < a.cost) ||
      b.calls - a.calls ||
      String(va).localeCompare(String(vb)),
  )
}
