// Why a cost changed: split into steps from one side to the other, each step replacing one cause. The steps add up to
// the change exactly, since each is the difference of two rounded amounts and the last one ends at the real amount.

import type { Summary, TokenClass } from '../../api/types.ts'
import { parseUsd } from '../../money.ts'

export type Cause = 'calls' | 'cache' | 'prompt' | 'output' | 'price'

export interface Step {
  cause: Cause
  amount: bigint
}

const PROMPT: TokenClass[] = [
  'input',
  'cache_read',
  'cache_write',
  'cache_write_1h',
  'audio_in',
  'cache_read_audio',
  'image_in',
  'video_in',
]
const OUTPUT: TokenClass[] = ['output', 'reasoning', 'audio_out', 'image_out']

interface Side {
  calls: number
  cost: bigint
  tokens: Map<TokenClass, number>
  amounts: Map<TokenClass, number>
  other: number
}

function sideOf(summary: Summary): Side {
  const side: Side = {
    calls: summary.calls,
    cost: parseUsd(summary.cost_usd),
    tokens: new Map(),
    amounts: new Map(),
    other: Number(parseUsd(summary.amounts.other ?? '0')),
  }
  for (const c of [...PROMPT, ...OUTPUT]) {
    side.tokens.set(c, summary.tokens[c] ?? 0)
    side.amounts.set(c, Number(parseUsd(summary.amounts[c] ?? '0')))
  }
  return side
}

const sum = (classes: TokenClass[], of: Map<TokenClass, number>) =>
  classes.reduce((total, c) => total + of.get(c)!, 0)

/** Pico-dollars a token of the class cost on average; the other side's where this one has none. */
function rate(c: TokenClass, side: Side, otherwise: Side): number {
  const from = side.tokens.get(c) ? side : otherwise
  const tokens = from.tokens.get(c)!
  return tokens ? from.amounts.get(c)! / tokens : 0
}

/**
 * Null when one side has no calls or no price: then there is nothing to split. Order of the steps: calls, prompt
 * length, how the prompt divides into fresh and cached, output length, and what is left is price and model mix.
 */
export function why(base: Summary, now: Summary): Step[] | null {
  const [a, b] = [sideOf(base), sideOf(now)]
  if (!a.calls || !b.calls || a.cost === 0n || b.cost === 0n) return null
  const [promptA, promptB] = [sum(PROMPT, a.tokens), sum(PROMPT, b.tokens)]
  const mix = (side: Side, whole: number, c: TokenClass) => (whole ? side.tokens.get(c)! / whole : 0)
  const prompt = (calls: number, length: number, side: Side, whole: number) =>
    PROMPT.reduce((total, c) => total + calls * length * mix(side, whole, c) * rate(c, a, b), 0)
  const output = (calls: number, side: Side) =>
    OUTPUT.reduce((total, c) => total + (calls * side.tokens.get(c)! * rate(c, a, b)) / side.calls, 0)
  const other = (calls: number) => (a.other * calls) / a.calls

  const lengthA = promptA / a.calls
  const lengthB = promptB / b.calls
  // With no prompt tokens before there is no way they divided: the present one stands for both.
  const [before, wholeBefore] = promptA ? [a, promptA] : [b, promptB]
  const states = [
    a.cost,
    rounded(prompt(b.calls, lengthA, before, wholeBefore) + output(b.calls, a) + other(b.calls)),
    rounded(prompt(b.calls, lengthB, before, wholeBefore) + output(b.calls, a) + other(b.calls)),
    rounded(prompt(b.calls, lengthB, b, promptB) + output(b.calls, a) + other(b.calls)),
    rounded(prompt(b.calls, lengthB, b, promptB) + output(b.calls, b) + other(b.calls)),
    b.cost,
  ]
  const causes: Cause[] = ['calls', 'prompt', 'cache', 'output', 'price']
  return causes.map((cause, i) => ({ cause, amount: states[i + 1]! - states[i]! }))
}

const rounded = (pico: number) => BigInt(Math.round(pico))

/** What a step is called, by the direction it goes. */
export function causeName(cause: Cause, amount: bigint): string {
  const up = amount >= 0n
  switch (cause) {
    case 'calls':
      return up ? 'More calls' : 'Fewer calls'
    case 'prompt':
      return up ? 'Longer prompts' : 'Shorter prompts'
    case 'cache':
      return up ? 'Fewer cache hits' : 'More cache hits'
    case 'output':
      return up ? 'Longer output' : 'Shorter output'
    case 'price':
      return 'Price and model mix'
  }
}
