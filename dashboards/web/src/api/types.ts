// What the pages call the API's answers. schema.ts is written from the API's own document: `npm run types`.

import type {
  AccountingWord,
  FlagWord,
  Kind,
  LineUnit,
  Model,
  Prompt,
  RoleWord,
  Tokens,
  UnpricedWord,
} from './schema.ts'

import type * as Schema from './schema.ts'

export type * from './schema.ts'

// What the document can only say in words.
export type Breakdown = Omit<Schema.Breakdown, 'by'> & { by: Dimension }
export type Flamegraph = Omit<Schema.Flamegraph, 'metric' | 'unit' | 'class'> & {
  metric: Metric
  unit: 'picousd' | 'tokens' | 'calls' | 'us'
  class?: TokenClass
}
export type Timeseries = Omit<Schema.Timeseries, 'by' | 'interval'> & {
  by: Dimension | null
  interval: Interval
}

export type AccountingRule = AccountingWord
export type Flag = FlagWord
export type FrameKind = Kind
export type ModelRow = Model
export type PromptRow = Prompt
export type Role = RoleWord
export type Unpriced = UnpricedWord

/** Disjoint token classes: `output` is without `reasoning`, `input` without anything cached. */
export type TokenClass = keyof Tokens

/** Billed units that are not tokens. */
export type Counter = Exclude<LineUnit, TokenClass | 'request'>

export type Interval = '15min' | 'hour' | 'day' | 'week' | 'month'

export type Metric = 'cost' | 'tokens' | 'calls' | 'duration'

/** What sums are grouped by, and most of what filters name. An empty value of a filter is an absent one. */
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

export type FilterKey = Dimension | 'status' | 'counted' | 'flag' | 'unpriced' | 'fingerprint'
