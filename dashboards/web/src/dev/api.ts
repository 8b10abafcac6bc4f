// The endpoints the pages read, over the invented data set. Shapes are those of ../api/types.ts.

import type {
  Breakdown,
  Dimension,
  Flamegraph,
  Frame,
  Health,
  Interval,
  LoginMethods,
  Metric,
  Session,
  Summary,
  Tags,
  Timeseries,
  TokenClass,
  Values,
  ViewList,
} from '../api/types.ts'
import { printUsd, ratio } from '../money.ts'
import { startOfDay, startOfMonth, startOfWeek } from '../time.ts'
import { framesTo, type Dataset, type MockSpan, type Path } from './dataset.ts'
import { BadRequest, count, groupBy, instant, number, select, totalOf, valueOf } from './query.ts'
import { models } from './models.ts'
import { prompts, waste } from './prompts.ts'
import { callList, receipt, trace, traceList } from './traces.ts'
import { why } from './why.ts'

export class NotFound extends Error {}

export interface Context {
  data: Dataset
  query: URLSearchParams
  now: number
}

/** Answers GET `path` (without /api/v1). */
export function answer(path: string, context: Context): unknown {
  const traceId = /^\/traces\/([0-9a-f]{32})$/.exec(path)?.[1]
  if (traceId) return trace(context.data, traceId) ?? missing(`There is no trace ${traceId}.`)
  const call = /^\/calls\/([0-9a-f]{32})\/([0-9a-f]{16})$/.exec(path)
  if (call) return receipt(context.data, call[1]!, call[2]!) ?? missing(`There is no call ${call[2]!}.`)
  switch (path) {
    case '/summary':
      return summary(context)
    case '/breakdown':
      return breakdown(context)
    case '/why':
      return why(select(context.data, context.query, context.now), baseOf(context) ?? [])
    case '/timeseries':
      return timeseries(context)
    case '/flamegraph':
      return flamegraph(context)
    case '/traces':
      return traceList(context)
    case '/calls':
      return callList(context)
    case '/values':
      return values(context)
    case '/tags':
      return { keys: ['plan'] } satisfies Tags
    case '/models':
      return models(context)
    case '/prompts':
      return prompts(context)
    case '/waste':
      return waste(context)
    case '/health':
      return health(context)
    case '/login':
      return { required: false, password: false, openid: null } satisfies LoginMethods
    case '/session':
      return SESSION
    case '/views':
      return { views: [] } satisfies ViewList
    default:
      return missing(`There is nothing at ${path}.`)
  }
}

/** Nobody is asked who they are. */
const SESSION: Session = {
  user: null,
  method: null,
  session: null,
  role: 'editor',
  project: 'default',
  projects: ['default'],
  all_projects: false,
}

function missing(message: string): never {
  throw new NotFound(message)
}

function summary({ data, query, now }: Context): Summary {
  const all = select(data, query, now, true)
  const counted = all.filter((s) => !s.call!.why)
  const total = totalOf(counted)
  const excluded = totalOf(all.filter((s) => s.call!.why))
  const tokens = count(total.tokens)
  const open = instant(query, 'to', now) > now - 60_000
  return {
    ...total.sums(),
    traces: new Set(counted.map((s) => s.trace)).size,
    traces_exact: true,
    amounts: Object.fromEntries([...total.amounts].map(([key, pico]) => [key, printUsd(pico)])),
    pending: open
      ? { traces: 3, calls: 41, cost_usd_at_most: '0.84' }
      : { traces: 0, calls: 0, cost_usd_at_most: '0' },
    coverage: {
      calls: total.calls ? 1 - total.unpricedCalls / total.calls : null,
      tokens: tokens ? 1 - total.unpricedTokens / tokens : null,
    },
    excluded: { calls: excluded.calls, cost_usd: printUsd(excluded.cost) },
    errors_cost_usd: printUsd(total.errorsCost),
  }
}

function dimension(query: URLSearchParams): Dimension {
  const by = query.get('by')
  if (!by) throw new BadRequest('by', 'Say by what: by=model, by=service, …')
  return by as Dimension
}

function breakdown({ data, query, now }: Context): Breakdown {
  const by = dimension(query)
  const spans = select(data, query, now)
  const total = totalOf(spans)
  const groups = groupBy(spans, by)
  const limit = number(query, 'limit', 100, 1000)
  const rest = totalOf(groups.length > limit ? spansOf(spans, by, groups.slice(limit)) : [])
  return {
    by,
    total: total.sums(),
    rows: groups.slice(0, limit).map(([value, sums]) => ({
      value,
      ...sums.sums(),
      share: ratio(sums.cost, total.cost),
      ...(by === 'path' ? { path: framesTo(data.paths.get(value!)!) } : {}),
    })),
    rest:
      groups.length > limit
        ? { values: groups.length - limit, ...rest.sums(), share: ratio(rest.cost, total.cost) }
        : null,
  }
}

function spansOf(spans: MockSpan[], by: string, groups: [string | null, unknown][]): MockSpan[] {
  const wanted = new Set(groups.map(([value]) => value))
  return spans.filter((s) => wanted.has(valueOf(s, by)))
}

function bucketsOf(from: number, to: number, interval: Interval, tz: string): number[] {
  const width = interval === '15min' ? 900_000 : 3_600_000
  const edges: number[] = []
  const start = (ms: number, add = 0) => {
    if (interval === 'month') return startOfMonth(ms, tz, add)
    if (interval === 'week') return startOfWeek(ms, tz, add)
    if (interval === 'day') return startOfDay(ms, tz, add)
    return Math.floor(ms / width) * width + add * width
  }
  for (let at = start(from); at < to; at = start(at, 1)) edges.push(at)
  edges.push(start(edges.at(-1) ?? from, 1))
  return edges
}

function timeseries({ data, query, now }: Context): Timeseries {
  const by = query.get('by') as Dimension | null
  const interval = (query.get('interval') ?? 'day') as Interval
  const tz = query.get('tz') ?? 'UTC'
  const edges = bucketsOf(
    instant(query, 'from', now - 30 * 86_400_000),
    instant(query, 'to', now),
    interval,
    tz,
  )
  const spans = select(data, query, now)
  const groups = by ? groupBy(spans, by) : ([[null, null]] as [null, null][])
  const limit = number(query, 'limit', 10, 100)
  const columns = (wanted: MockSpan[]) => {
    const cost = edges.slice(1).map(() => 0n)
    const [calls, tokens, errors] = [cost.map(() => 0), cost.map(() => 0), cost.map(() => 0)]
    let bucket = 0
    for (const span of wanted) {
      while (bucket + 2 < edges.length && span.start >= edges[bucket + 1]! * 1000) bucket++
      cost[bucket]! += BigInt(span.call!.cost)
      calls[bucket]!++
      tokens[bucket]! += count(span.call!.tokens)
      errors[bucket]! += Number(span.error)
    }
    return { cost_usd: cost.map(printUsd), calls, tokens, errors }
  }
  const time = (ms: number) => new Date(ms).toISOString()
  return {
    by,
    interval,
    tz,
    buckets: edges.slice(1).map((end, i) => ({ start: time(edges[i]!), end: time(end) })),
    series: groups.slice(0, limit).map(([value]) => ({
      value,
      ...columns(by ? spans.filter((s) => valueOf(s, by) === value) : spans),
    })),
    rest:
      groups.length > limit
        ? { values: groups.length - limit, ...columns(spansOf(spans, by!, groups.slice(limit))) }
        : null,
  }
}

type Totals = ReturnType<typeof totalOf>

/** Sums by path: of calls that end there, and of everything below. */
function sumsByPath(spans: MockSpan[]): { own: Map<Path, Totals>; below: Map<Path, Totals> } {
  const own = new Map<Path, Totals>()
  const below = new Map<Path, Totals>()
  const add = (to: Map<Path, Totals>, path: Path, span: MockSpan) => {
    if (!to.has(path)) to.set(path, totalOf([]))
    to.get(path)!.add(span)
  }
  for (const span of spans) {
    add(own, span.path, span)
    for (let p: Path | null = span.path; p; p = p.parent) add(below, p, span)
  }
  return { own, below }
}

/** The calls of the other side of a difference; null when the query asks for none. */
function baseOf({ data, query, now }: Context): MockSpan[] | null {
  const [from, to] = [query.get('base_from'), query.get('base_to')]
  if (!from || !to) return null
  const other = new URLSearchParams(query)
  other.set('from', from)
  other.set('to', to)
  const replacing = [...query].filter(([name]) => name.startsWith('base.'))
  for (const [name] of replacing) {
    const key = name.slice('base.'.length).replace(/!$/, '')
    other.delete(key)
    other.delete(`${key}!`)
  }
  for (const [name, value] of replacing) other.append(name.slice('base.'.length), value)
  return select(data, other, now)
}

function flamegraph(context: Context): Flamegraph {
  const { data, query, now } = context
  const metric = (query.get('metric') ?? 'cost') as Metric
  const only = query.get('class') as TokenClass | null
  const spans = select(data, query, now)
  const base = baseOf(context)
  const { own, below } = sumsByPath(spans)
  const before = base && sumsByPath(base)
  const measure = (t: Totals | undefined): bigint => {
    if (!t) return 0n
    switch (metric) {
      case 'calls':
        return BigInt(t.calls)
      case 'duration':
        return BigInt(t.duration)
      case 'tokens':
        return BigInt(only ? (t.tokens[only] ?? 0) : count(t.tokens))
      default:
        return only ? (t.amounts.get(only) ?? 0n) : t.cost
    }
  }
  const children = new Map<Path | null, Path[]>()
  for (const path of new Set([...below.keys(), ...(before?.below.keys() ?? [])]))
    children.set(path.parent, [...(children.get(path.parent) ?? []), path])
  const frames: Frame[] = []
  const visit = (path: Path) => {
    const t = below.get(path) ?? totalOf([])
    frames.push({
      id: path.id,
      parent: path.parent?.id ?? null,
      service: path.service,
      kind: path.kind,
      label: path.label,
      self: measure(own.get(path)).toString(),
      total: measure(t).toString(),
      calls: t.calls,
      errors: t.errors,
      unpriced: t.unpricedCalls,
      tokens: t.tokens,
      amounts: Object.fromEntries([...t.amounts].map(([key, pico]) => [key, pico.toString()])),
      ...(before && {
        base_self: measure(before.own.get(path)).toString(),
        base_total: measure(before.below.get(path)).toString(),
        base_calls: before.below.get(path)?.calls ?? 0,
      }),
    })
    walk(path)
  }
  const walk = (parent: Path | null) =>
    (children.get(parent) ?? [])
      .sort((a, b) => Number(measure(below.get(b)) - measure(below.get(a))))
      .forEach(visit)
  walk(null)
  const units = { cost: 'picousd', tokens: 'tokens', calls: 'calls', duration: 'us' } as const
  return {
    metric,
    unit: units[metric],
    total: measure(totalOf(spans)).toString(),
    ...(base && { base_total: measure(totalOf(base)).toString() }),
    calls: spans.length,
    traces: new Set(spans.map((s) => s.trace)).size,
    frames,
    pruned: { nodes: 0 },
  }
}

function values({ data, query, now }: Context): Values {
  const key = query.get('key') ?? ''
  const q = (query.get('q') ?? '').toLowerCase()
  const limit = number(query, 'limit', 20, 200)
  const spans = select(data, query, now, key === 'counted')
  if (key === 'path') return pathValues(data, spans, q, limit)
  const found = groupBy(spans, key).filter(([value]) => value?.toLowerCase().includes(q))
  found.sort(([, a], [, b]) => b.calls - a.calls)
  return {
    key,
    values: found.slice(0, limit).map(([value, total]) => ({ value: value!, calls: total.calls })),
    more: found.length > limit,
  }
}

function pathValues(data: Dataset, spans: MockSpan[], q: string, limit: number): Values {
  const calls = new Map<Path, number>()
  for (const span of spans)
    for (let p: Path | null = span.path; p; p = p.parent) calls.set(p, (calls.get(p) ?? 0) + 1)
  const found = [...data.paths.values()]
    .filter((p) => p.id === q || (calls.has(p) && p.label.toLowerCase().includes(q)))
    .sort((a, b) => (calls.get(b) ?? 0) - (calls.get(a) ?? 0))
  return {
    key: 'path',
    values: found.slice(0, limit).map((p) => ({ value: p.id, calls: calls.get(p) ?? 0, path: framesTo(p) })),
    more: found.length > limit,
  }
}

function health({ data, now }: Context): Health {
  const time = (us: number | undefined) => (us === undefined ? null : new Date(us / 1000).toISOString())
  return {
    status: 'ok',
    version: '0.1.0',
    uptime_s: 86_400,
    database: { kind: 'sqlite', reachable: true, bytes: 87_355_392 },
    endpoints: { otlp_grpc: '127.0.0.1:4317', otlp_http: '127.0.0.1:4318' },
    data: { first: time(data.calls[0]?.start), last: time(data.calls.at(-1)?.start ?? now * 1000) },
    received: { requests: 9120, spans: 402_311, calls: data.calls.length, bytes: 310_220_110 },
    refused: { requests: 0, spans: 0, reasons: {} },
    lag: { settle_ms: 2100, fold_ms: 900 },
    queues: [],
    bounds: [],
  }
}
