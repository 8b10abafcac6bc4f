// What the form of a filter knows of its keys beside the data.

import type { FilterKey, Flag, Unpriced } from '../api/types.ts'

// Written as records, so that none is missing.
const UNPRICED: Record<Unpriced, true> = {
  no_usage: true,
  no_model: true,
  unknown_model: true,
  no_rate: true,
  overflow: true,
}
const FLAGS: Record<Flag, true> = {
  clamped: true,
  reasoning_added: true,
  aggregate: true,
  generic: true,
  overflow: true,
  failed_with_usage: true,
  fallback_provider: true,
  provider_guessed: true,
  request_model: true,
  bad_number: true,
  reported_cost: true,
  possible_duplicate: true,
  tier_unpriced: true,
  estimated: true,
  overridden: true,
  corrected: true,
  second_source: true,
  from_metrics: true,
}
/** Values that do not depend on the data. */
export const FIXED: Partial<Record<FilterKey, string[]>> = {
  status: ['error', 'ok'],
  counted: ['true', 'false'],
  unpriced: [...Object.keys(UNPRICED), ''],
  flag: [...Object.keys(FLAGS), ''],
  fingerprint: [''],
}
/** What an empty value stands for, where that is not plain. */
export const EMPTY: Partial<Record<FilterKey, string>> = {
  unpriced: '(priced)',
  flag: '(no flag)',
  fingerprint: '(no system prompt on the wire)',
}
/** Keys a call may lack. */
export const ABSENT_KEYS = new Set<string>([
  'environment',
  'feature',
  'agent',
  'tool',
  'user',
  'session',
  'prompt',
  'provider',
  'model',
])
