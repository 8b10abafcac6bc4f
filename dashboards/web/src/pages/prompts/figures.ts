// What the page about prompts works out from sums.

import type { PromptRow, Sums, TokenClass } from '../../api/types.ts'
import { parseUsd } from '../../money.ts'
import type { PaidRates } from '../models/rates.ts'

/** Everything that was sent, cached or not. */
const SENT: TokenClass[] = [
  'input',
  'cache_read',
  'cache_write',
  'cache_write_1h',
  'audio_in',
  'cache_read_audio',
  'image_in',
  'video_in',
]
const CACHED: TokenClass[] = ['cache_read', 'cache_read_audio']
const RECEIVED: TokenClass[] = ['output', 'reasoning', 'audio_out', 'image_out']

const sum = (of: Sums, classes: TokenClass[]) => classes.reduce((total, c) => total + (of.tokens[c] ?? 0), 0)
const per = (part: number, whole: number) => (whole ? part / whole : null)

/** Tokens sent per call. */
export const sentPerCall = (of: Sums) => per(sum(of, SENT), of.calls)
/** Tokens received per call. */
export const receivedPerCall = (of: Sums) => per(sum(of, RECEIVED), of.calls)
/** Share of what was sent that was read from a cache. */
export const cachedShare = (of: Sums) => per(sum(of, CACHED), sum(of, SENT))
/** Pico-dollars of a call with a price. */
export function costPerCall(of: Sums): bigint | null {
  const priced = of.calls - of.unpriced.calls
  return priced > 0 ? parseUsd(of.cost_usd) / BigInt(priced) : null
}

/** Prompts of less calls on either end are not said to have grown. */
const ENOUGH = 5

/**
 * Tokens sent per call in the last third of the range, relative to the first third: 0.5 = half as much again. Null where
 * one of them has too few calls.
 */
export function growth(trend: Sums[]): number | null {
  const third = Math.floor(trend.length / 3)
  const of = (parts: Sums[]) => ({
    calls: parts.reduce((n, s) => n + s.calls, 0),
    sent: parts.reduce((n, s) => n + sum(s, SENT), 0),
  })
  const [first, last] = [of(trend.slice(0, third)), of(trend.slice(-third))]
  if (!third || first.calls < ENOUGH || last.calls < ENOUGH || !first.sent) return null
  return last.sent / last.calls / (first.sent / first.calls) - 1
}

export interface Caching {
  /** Pico-dollars that would be saved at most if all fresh input were read from the cache. */
  saved: bigint
  /** True when a model has no rate for cached input in this range, and its calls are left out. */
  partial: boolean
}

/** At the rates that were paid for the models in this range; null when none of them is known. */
export function fullCaching(row: PromptRow, rates: PaidRates[]): Caching | null {
  let saved = 0n
  let known = false
  let partial = false
  for (const { model, tokens } of row.models) {
    const fresh = tokens.input ?? 0
    if (!fresh) continue
    const { input, cache_read } = rates.find((r) => r.model === model)?.perMillion ?? {}
    if (input === undefined || cache_read === undefined) {
      partial = true
      continue
    }
    known = true
    if (input > cache_read) saved += (BigInt(fresh) * (input - cache_read)) / 1_000_000n
  }
  return known ? { saved, partial } : null
}

const placeOf = (row: PromptRow) => row.path?.at(-1)?.id ?? ''

/** What a row is chosen by. */
export const keyOf = (row: PromptRow) =>
  row.prompt === null ? `at ${placeOf(row)} ${row.fingerprint ?? ''}` : `${row.prompt}\n${row.version ?? ''}`

/** Rows of the same name, or system prompts sent from the same place: its versions. */
export const versionsOf = (row: PromptRow, rows: PromptRow[]) =>
  rows.filter((r) =>
    row.prompt === null ? r.prompt === null && placeOf(r) === placeOf(row) : r.prompt === row.prompt,
  )

export interface RepeatsOf {
  /** Identical requests, and at most so many more among the calls whose content was not on the wire. */
  most: number
  /** False when `most` is an upper bound. */
  exact: boolean
  /** Pico-dollars of them, without the dearest of each. */
  cost: bigint
}

/** Calls that sent what an earlier one sent. */
export function repeatsOf(row: PromptRow): RepeatsOf {
  const { identical, repeats } = row
  return {
    most: identical.calls + repeats.calls,
    exact: repeats.calls === 0,
    cost: parseUsd(identical.cost_usd) + parseUsd(repeats.cost_usd),
  }
}
