// The JSON of every endpoint under /api/v1 that the pages read.
//
// Common query parameters
//   from, to      RFC 3339 or epoch milliseconds, half-open [from, to). Without them: the last 30 days up to now.
//   tz            IANA name, for calendar buckets; "UTC" when absent.
//   filters       key=value and key!=value, repeated. Values of one key are joined by "or" (for != by "and not"),
//                 different keys by "and". An empty value means "absent": feature= is every call without a feature.
//   limit         rows at most. cursor: the `next` of the answer before.

/** Exact decimal dollars, no exponent, no trailing zeros: "0.0290025", "-12.5", "0". */
export type Usd = string

/** An integer in decimal digits, possibly beyond 2^53: pico-dollars, tokens or calls, as `unit` says. */
export type IntText = string

/** RFC 3339, UTC, microseconds: "2026-11-22T22:49:12.768354Z". */
export type Time = string

/** Disjoint token classes: `output` is without `reasoning`, `input` without anything cached. */
export type TokenClass =
  | 'input'
  | 'cache_read'
  | 'cache_write'
  | 'cache_write_1h'
  | 'audio_in'
  | 'cache_read_audio'
  | 'image_in'
  | 'video_in'
  | 'output'
  | 'reasoning'
  | 'audio_out'
  | 'image_out'

/** Billed units that are not tokens. */
export type Counter =
  'web_searches' | 'storage_searches' | 'search_units' | 'pages' | 'audio_seconds' | 'characters'

/** What a receipt line counts; "request" is a fee per request. */
export type LineUnit = TokenClass | Counter | 'request'

/** Tokens by class. An absent class is zero. Every class that is not zero is present. */
export type Tokens = Partial<Record<TokenClass, number>>

/** Cost by token class; "other" is everything not billed by token. Adds up to the cost beside it. Absent is zero. */
export type Amounts = Partial<Record<TokenClass | 'other', Usd>>

export type FrameKind = 'request' | 'agent' | 'workflow' | 'tool' | 'step' | 'model'

/** One step of a call path. */
export interface FrameRef {
  /** Path id, hex. */
  id: string
  /** Empty if the resource named none. */
  service: string
  kind: FrameKind
  label: string
}

/** Keys of filters, of /breakdown?by= and of /values?key=. `tag.KEY` is any tag. */
export type Dimension =
  | 'model'
  | 'provider'
  | 'service'
  | 'environment'
  | 'feature'
  | 'agent'
  | 'tool'
  | 'operation'
  | 'user'
  | 'session'
  | 'prompt'
  | 'path'
  | `tag.${string}`

export type FilterKey = Dimension | 'status' | 'counted' | 'flag' | 'unpriced'

/** Body of every answer that is not 2xx. 400 bad_request, 404 not_found, 410 gone (retention), 503 unavailable, 500 internal. */
export interface ErrorBody {
  error: {
    /** Stable, for programs. */
    code: string
    /** One sentence, for people. */
    message: string
    /** The query parameter at fault, if one is. */
    field: string | null
  }
}

// ---------------------------------------------------------------- /summary

/** Sums over counted calls. Calls without a price add to `calls` and `tokens`, not to `cost_usd`. */
export interface Sums {
  cost_usd: Usd
  calls: number
  /** Calls whose span ended with an error. */
  errors: number
  tokens: Tokens
  /** Calls without a known price, and their tokens. */
  unpriced: { calls: number; tokens: number }
}

export interface Pending {
  traces: number
  calls: number
  cost_usd_at_most: Usd
}

/** GET /summary */
export interface Summary extends Sums {
  traces: number
  /** False when `traces` is an estimate: many calls pass the filters. */
  traces_exact?: boolean
  /** Cost by class over the same calls; adds up to `cost_usd`. */
  amounts: Amounts
  /** Not yet settled, not contained in any other figure. */
  pending: Pending
  /** Priced share, 0 to 1; null without calls (or without tokens). */
  coverage: { calls: number | null; tokens: number | null }
  /** What law 3 left out as repeated. */
  excluded: { calls: number; cost_usd: Usd }
  /** Cost of the calls in `errors`. */
  errors_cost_usd: Usd
}

// -------------------------------------------------------------- /breakdown

export interface BreakdownRow extends Sums {
  /** null = absent (unattributed). For by=path the path id. */
  value: string | null
  /** Share of the total cost, 0 to 1; null when the total is 0. */
  share: number | null
  /** Only for by=path: the frames from the root down to this path. Its sums are self sums, so rows add up. */
  path?: FrameRef[]
}

/** GET /breakdown?by=&limit= : rows by cost, largest first (ties by calls, then value); limit 1 to 1000, default 100. */
export interface Breakdown {
  by: Dimension
  total: Sums
  rows: BreakdownRow[]
  /** The rows beyond the limit, added up; null if there are none. */
  rest: (Sums & { values: number; share: number | null }) | null
}

// ------------------------------------------------------------- /timeseries

export type Interval = '15min' | 'hour' | 'day' | 'week' | 'month'

/** One value per bucket; every array is as long as `buckets`. */
export interface SeriesColumns {
  cost_usd: Usd[]
  calls: number[]
  /** All classes together. */
  tokens: number[]
  errors: number[]
}

/** GET /timeseries?by=&interval=&limit=&tz= : `limit` series (default 10, at most 100) by cost over the range, the others in `rest`. */
export interface Timeseries {
  /** null when the request named none: then one series with value null. */
  by: Dimension | null
  interval: Interval
  tz: string
  /** Half-open [start, end) in calendar order, aligned in `tz`; gaps are zero. First and last may reach beyond from/to. */
  buckets: { start: Time; end: Time }[]
  series: ({ value: string | null; path?: FrameRef[] } & SeriesColumns)[]
  rest: ({ values: number } & SeriesColumns) | null
}

// ------------------------------------------------------------- /flamegraph

export type Metric = 'cost' | 'tokens' | 'calls' | 'duration'

export interface Frame {
  /** Path id, hex; null for the folded rest "(other)". */
  id: string | null
  /** Path id of the parent; null = below the root of all. Of a folded rest too. */
  parent: string | null
  service: string
  kind: FrameKind
  label: string
  /** In `unit`. */
  self: IntText
  total: IntText
  /** Counted calls in the subtree. */
  calls: number
  /** Calls with an error in the subtree. */
  errors: number
  /** Calls without a price in the subtree. */
  unpriced: number
  /** Over the subtree. Absent = {}. */
  tokens?: Tokens
  /** Over the subtree, in pico-dollars; adds up to its cost. Absent = {}. Keys as in Amounts. */
  amounts?: Partial<Record<TokenClass | 'other', IntText>>
  /** Only in a difference. */
  base_self?: IntText
  base_total?: IntText
  base_calls?: number
}

/** GET /flamegraph?metric=&max_nodes= : parents before children, siblings by total, largest first. max_nodes default 5000, at most 50000. */
export interface Flamegraph {
  metric: Metric
  unit: 'picousd' | 'tokens' | 'calls' | 'us'
  /** Only this token class. */
  class?: TokenClass
  /** Sum of `self` over all frames. */
  total: IntText
  /** Only in a difference. */
  base_total?: IntText
  /** Counted calls and traces in the range. */
  calls: number
  traces: number
  frames: Frame[]
  /** Nodes folded into "(other)". */
  pruned: { nodes: number }
}

// ----------------------------------------------------------------- /traces

export interface TraceRow {
  trace_id: string
  start: Time
  duration_us: number
  /** The root span's frame; null if no root has arrived. */
  root: { service: string; kind: FrameKind; label: string; name: string } | null
  /** Over the counted calls of the whole trace, whatever the filters. */
  cost_usd: Usd
  calls: number
  errors: number
  unpriced: number
  tokens: Tokens
  spans: number
  /** Services seen in the trace, by name, at most 10. */
  services: string[]
}

/** GET /traces?sort=cost|start|duration|calls&order=desc|asc&limit=&cursor= : traces with a call that passes the filters. Default sort=start, order=desc, limit 50 (at most 500). */
export interface TraceList {
  traces: TraceRow[]
  next: string | null
}

export type Role = 'plain' | 'call' | 'aggregate'

/** Which rule of counting left a call out, and in favour of what. */
export interface Why {
  /**
   * a aggregate above counted calls, b same response id in this trace, c wraps the calls below,
   * e same response id in another trace, f pair of emitters known to detach, g joined with a record of another signal.
   */
  rule: 'a' | 'b' | 'c' | 'e' | 'f' | 'g'
  /** The call that counts; for rules a and c the nearest one below. */
  by: { trace_id: string; span_id: string } | null
  /** How many calls stand for this one (rules a and c: those below). */
  calls: number
}

export type Unpriced = 'no_usage' | 'no_model' | 'unknown_model' | 'no_rate' | 'overflow'

export type Flag =
  | 'clamped'
  | 'reasoning_added'
  | 'aggregate'
  | 'generic'
  | 'overflow'
  | 'failed_with_usage'
  | 'fallback_provider'
  | 'provider_guessed'
  | 'request_model'
  | 'bad_number'
  | 'reported_cost'
  | 'possible_duplicate'
  | 'tier_unpriced'
  | 'estimated'
  | 'overridden'
  | 'corrected'
  | 'second_source'
  | 'from_metrics'

/** The part of a call that lists show. */
export interface CallBrief {
  provider: string | null
  /** The one that served, else the one asked for. */
  model: string | null
  operation: string | null
  response_id: string | null
  tokens: Tokens
  /** null = unknown, see `unpriced`. Also given when the call is not counted. */
  cost_usd: Usd | null
  unpriced: Unpriced | null
  counted: boolean
  /** Set exactly when not counted. */
  why: Why | null
  flags: Flag[]
}

export interface TraceSpan {
  span_id: string
  /** null for a root and when the parent has not been seen. */
  parent_span_id: string | null
  /** True when the span names a parent that has not been seen. */
  missing_parent: boolean
  service: string
  kind: FrameKind
  /** Frame label, low cardinality. */
  label: string
  /** Span name as received. */
  name: string
  /** Path id of the frame of this span. */
  path: string
  start: Time
  duration_us: number
  error: boolean
  role: Role
  /** Cost of the span's own call if it counts and is priced, else "0". */
  self_cost_usd: Usd
  /** Self cost of this span and all below it. */
  total_cost_usd: Usd
  /** Counted calls at or below this span. */
  calls: number
  /** Calls without a price at or below this span. */
  unpriced: number
  /** Set exactly when the role is not plain. */
  call: CallBrief | null
}

export interface Attribution {
  environment: string | null
  feature: string | null
  user: string | null
  session: string | null
  agent: string | null
  tool: string | null
  prompt: string | null
  prompt_version: string | null
  tags: Record<string, string>
}

/** GET /traces/{trace_id} : the whole tree, whatever range and filters; every span, parents before children, depth first, siblings by start. */
export interface Trace extends TraceRow {
  settled: boolean
  /** Values that hold at the root (nearest wins further down). */
  attribution: Attribution
  /** Calls left out by rule, and what they would have cost. */
  excluded: { calls: number; cost_usd: Usd; rules: Why['rule'][] }
  tree: TraceSpan[]
  /** Spans that were left away because the trace has more than the bound. */
  truncated: number
}

// ------------------------------------------------------------------ /calls

export interface CallRow extends CallBrief {
  trace_id: string
  span_id: string
  start: Time
  duration_us: number
  service: string
  error: boolean
}

/** GET /calls?limit=&cursor= : every call, counted or not, newest first; limit default 100, at most 1000. */
export interface CallList {
  calls: CallRow[]
  next: string | null
}

/** amount = round_half_even(quantity × rate / per), in pico-dollars. */
export interface ReceiptLine {
  unit: LineUnit
  quantity: number
  /** Dollars for `per` units, multiplier included. */
  rate_usd: Usd
  /** 1,000,000 for tokens, 1,000 or 1 for others. */
  per: number
  amount_usd: Usd
}

/** Which rule decided whether cached tokens are part of the reported input. */
export type AccountingRule =
  'spec' | 'emitter_inclusive' | 'emitter_exclusive' | 'arithmetic_exclusive' | 'disjoint'

/** GET /calls/{trace_id}/{span_id} */
export interface Receipt extends CallRow {
  name: string
  kind: FrameKind
  label: string
  /** Frames from the root to the call, the call's own last. */
  path: FrameRef[]
  role: Role
  request_model: string | null
  response_model: string | null
  attribution: Attribution
  /** Instrumentation scope, "name@version"; empty if none. */
  emitter: string
  signal: 'span' | 'log' | 'metric'
  /** One line per class and unit used; empty when unpriced. Adds up to `cost_usd`. */
  lines: ReceiptLine[]
  /** The price that was applied. */
  price: {
    provider: string
    model: string
    /** What narrowed the choice, in words; empty if nothing. */
    condition: string
    /** First day in force, "YYYY-MM-DD", if the catalog says so. */
    since: string | null
  } | null
  /** The price snapshot the cost was computed with. */
  catalog: {
    /** First 8 bytes of the SHA-256 of its source text, hex. */
    id: string
    /** "genai-prices", "overrides", … null when the snapshot is no longer known. */
    source: string | null
    fetched_at: Time | null
    sha256: string | null
  } | null
  accounting: {
    rule: AccountingRule
    /** Input tokens as the span said, before the classes were made disjoint; null if it said nothing. */
    reported_input: number | null
    reported_output: number | null
  }
  /** What the emitter itself said it cost; never summed with ours. */
  reported_cost_usd: Usd | null
  /** Calls left out in favour of this one. */
  excluded: {
    trace_id: string
    span_id: string
    service: string
    kind: FrameKind
    label: string
    rule: Why['rule']
    cost_usd: Usd | null
  }[]
}

// ----------------------------------------------------------------- /values

/** GET /values?key=&q=&limit= : values of one key among the calls that pass the other filters, most calls first; `q` is a case-insensitive part of the value (for path: of its last label, or a whole path id). limit default 20, at most 200. */
export interface Values {
  key: string
  values: {
    value: string
    calls: number
    /** Only for key=path: the frames from the root down. */
    path?: FrameRef[]
  }[]
  /** True when there are more than the limit. */
  more: boolean
}

// ---------------------------------------------------------------- /prompts

/** Calls and what they cost. */
export interface Repeats {
  calls: number
  cost_usd: Usd
}

/** One name and version, or the calls without a prompt name at one place. */
export interface PromptRow extends Sums {
  prompt: string | null
  version: string | null
  /** Where the calls without a name are made. */
  path?: FrameRef[]
  /** Dearest first. */
  models: (Sums & { model: string | null })[]
  /** One for each of `parts`. */
  trend: Sums[]
  /** At most these repeat an identical request; cost without the dearest of each. */
  repeats: Repeats
}

/** GET /prompts?limit=&parts= : by cost, largest first. */
export interface PromptList {
  /** Starts of the equal parts of the range. */
  parts: Time[]
  prompts: PromptRow[]
  rest: Sums | null
}

/** GET /waste : what failed, and what one trace asked twice. */
export interface Waste {
  failed: Repeats
  repeated: Repeats
}

// ----------------------------------------------------------------- /models

/** Dollars for `per` units, in the smallest and in the largest prompts. */
export interface Rate {
  unit: LineUnit
  usd: Usd
  largest_usd: Usd
  per: number
}

export interface ModelRow extends Sums {
  provider: string | null
  model: string | null
  /** The price at the end of the range, or now; null if it has none. */
  price: {
    provider: string
    model: string
    /** First day in force, YYYY-MM-DD, if the catalog says so. */
    since: string | null
    condition: string
    flags: Flag[]
    rates: Rate[]
  } | null
}

/** GET /models?limit= */
export interface Models {
  /** The price snapshot in force, hex. */
  catalog: string
  /** Largest cost first. */
  models: ModelRow[]
  unpriced: {
    provider: string | null
    model: string | null
    reason: Unpriced
    calls: number
    input: number
    output: number
    last: Time
    override: string | null
  }[]
  /** Computed and reported cost differ by more than 1 %; largest difference first. */
  differences: {
    provider: string | null
    model: string | null
    emitter: string
    calls: number
    computed_usd: Usd
    reported_usd: Usd
  }[]
}

// ------------------------------------------------------------------- /live

/** Data of the events of GET /live. */
export interface Live {
  at: Time
  /** Settled since the event before; in the first event the newest of the last hour. */
  calls: CallRow[]
  /** Spend of the last hour; minutes without a call are left out. */
  minutes: { start: Time; calls: number; cost_usd: Usd }[]
  pending: Pending
}

// ----------------------------------------------------------------- /health

/** GET /health : 200 also when degraded. */
export interface Health {
  status: 'ok' | 'degraded' | 'down'
  version: string
  uptime_s: number
  database: {
    kind: 'sqlite' | 'postgres'
    reachable: boolean
    /** On disk; null when it did not say. */
    bytes: number | null
  }
  /** Addresses the receivers listen on, "host:port"; null when off. */
  endpoints: { otlp_grpc: string | null; otlp_http: string | null }
  /** Start of the oldest and of the newest settled call; null when there is none. */
  data: { first: Time | null; last: Time | null }
  received: { requests: number; spans: number; calls: number; bytes: number }
  refused: { requests: number; spans: number; reasons: Record<string, number> }
  lag: { settle_ms: number | null; fold_ms: number | null }
  queues: { name: string; length: number; limit: number }[]
  bounds: { name: string; limit: number; hits: number }[]
}
