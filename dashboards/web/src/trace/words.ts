// The rules of counting, accounting and flags, in words.

import type { AccountingRule, Flag, Receipt, Unpriced, Why } from '../api/types.ts'
import { integer } from '../format.ts'
import { TOKEN_CLASSES } from '../names.ts'

/** Short, for the tag beside a span. */
export function reason(why: Why): string {
  switch (why.rule) {
    case 'a':
      return `repeats ${integer(why.calls)} ${why.calls === 1 ? 'call' : 'calls'}, not counted`
    case 'b':
      return 'same response, not counted'
    case 'c':
      return why.calls > 1 ? `wraps ${integer(why.calls)} calls below` : 'wraps the call below'
    case 'e':
      return 'counted in another trace'
    case 'f':
      return 'seen twice, not counted'
    case 'g':
      return 'counted call by call'
  }
}

/** A sentence, for the receipt of the call that counts. */
export const RULES: Record<Why['rule'], string> = {
  a: 'Its usage repeats the calls below it. Those count.',
  b: 'It has the same response id. The call nearest the provider counts.',
  c: 'Its usage equals what it wraps. The call nearest the provider counts.',
  e: 'The same response id appears in another trace. One of them counts.',
  f: 'Two instrumentations of one process saw the same call. One of them counts.',
  g: 'A metric sums calls of this session. Those that are told one by one count.',
}

export const ACCOUNTING: Record<AccountingRule, string> = {
  spec: 'input includes cache, as the conventions say',
  emitter_inclusive: 'input includes cache, as this emitter does',
  emitter_exclusive: 'input excludes cache, as this emitter does',
  arithmetic_exclusive: 'input excludes cache: the parts exceed it',
  disjoint: 'classes reported apart from each other',
}

export const FLAGS: Record<Flag, string> = {
  clamped: 'a part exceeded its whole and was cut down',
  reasoning_added: 'reasoning was missing from output and was added',
  aggregate: 'repeats the usage of calls below',
  generic: 'recognised by the names of its attributes alone',
  overflow: 'the amount is too large',
  failed_with_usage: 'ended with an error and still reported usage',
  fallback_provider: "priced by the provider's fallback",
  provider_guessed: 'found by its model alone',
  request_model: 'priced as the requested model',
  bad_number: 'an impossible number was ignored',
  reported_cost: 'the reported cost was taken, by setting',
  possible_duplicate: 'may be the same call as another',
  tier_unpriced: 'its processing tier has no price of its own',
  estimated: 'usage estimated by the emitter',
  overridden: 'priced by your own price',
  corrected: "the catalog's price was corrected",
  second_source: 'priced by the second source',
  from_metrics: 'a sum over calls that only a metric tells',
}

export function noPrice(why: Unpriced, model: string): string {
  switch (why) {
    case 'no_usage':
      return 'The span carries no usage.'
    case 'no_model':
      return 'The span names no model.'
    case 'unknown_model':
      return `The catalog does not know ${model}.`
    case 'no_rate':
      return `The catalog has no price for a class that ${model} used.`
    case 'overflow':
      return 'The amount does not fit.'
  }
}

/** How the reported input became the input class: "25,476 − 9,216 − 2,048 = 14,212"; null where nothing was taken off. */
export function inputArithmetic(receipt: Receipt): string | null {
  const { reported_input } = receipt.accounting
  const input = receipt.tokens.input ?? 0
  const parts = TOKEN_CLASSES.slice(1, TOKEN_CLASSES.indexOf('output'))
    .map((c) => receipt.tokens[c] ?? 0)
    .filter(Boolean)
  return difference(reported_input, parts, input)
}

/** The same for output. */
export function outputArithmetic(receipt: Receipt): string | null {
  const { reported_output } = receipt.accounting
  const parts = (['reasoning', 'audio_out', 'image_out'] as const)
    .map((c) => receipt.tokens[c] ?? 0)
    .filter(Boolean)
  return difference(reported_output, parts, receipt.tokens.output ?? 0)
}

function difference(whole: number | null, parts: number[], rest: number): string | null {
  if (whole === null || !parts.length || whole - parts.reduce((a, b) => a + b, 0) !== rest) return null
  return `${[whole, ...parts].map((n) => integer(n)).join(' − ')} = ${integer(rest)}`
}
