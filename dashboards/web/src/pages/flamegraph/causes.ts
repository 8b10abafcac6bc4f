// What the steps of a change are called, by the direction they go.

import type { CauseWord } from '../../api/types.ts'

const NAMES: Record<CauseWord, [up: string, down: string]> = {
  calls: ['More calls', 'Fewer calls'],
  models: ['Dearer models', 'Cheaper models'],
  prompt: ['Longer prompts', 'Shorter prompts'],
  cache: ['Fewer cache hits', 'More cache hits'],
  output: ['Longer output', 'Shorter output'],
  price: ['Higher price', 'Lower price'],
}

const UNCHANGED: Record<CauseWord, string> = {
  calls: 'Calls',
  models: 'Model mix',
  prompt: 'Prompt length',
  cache: 'Cache hits',
  output: 'Output length',
  price: 'Price',
}

/** `perTrace`: both sides have as many traces. */
export function causeName(cause: CauseWord, amount: bigint, perTrace = false): string {
  const name = amount === 0n ? UNCHANGED[cause] : NAMES[cause][amount > 0n ? 0 : 1]
  return perTrace && cause === 'calls' ? `${name} a trace` : name
}
