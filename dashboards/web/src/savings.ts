// What cached prompts saved: cached tokens at the model's own rate for fresh input, less what they did cost.

import type { Flamegraph } from './api/types.ts'

export interface Savings {
  /** Pico-dollars; negative when writing to the cache cost more than reading from it saved. */
  saved: bigint
  /** Share of all prompt tokens that were read from a cache; null without prompt tokens. */
  cached: number | null
  /** Cached tokens of models that never had fresh input, so that their rate is not known; not in `saved`. */
  unknown: number
}

interface Model {
  input: bigint
  read: bigint
  write: bigint
  inputCost: bigint
  cacheCost: bigint
}

/** By frame label: calls end in frames of their model, whose average rate is what fresh input did cost there. */
export function savingsOf(flame: Flamegraph): Savings {
  const models = new Map<string, Model>()
  const parents = new Set(flame.frames.map((f) => f.parent))
  for (const f of flame.frames) {
    if (parents.has(f.id) || f.kind !== 'model') continue
    const tokens = (c: keyof NonNullable<typeof f.tokens>) => BigInt(f.tokens?.[c] ?? 0)
    const amount = (c: keyof NonNullable<typeof f.amounts>) => BigInt(f.amounts?.[c] ?? '0')
    const model = models.get(f.label) ?? { input: 0n, read: 0n, write: 0n, inputCost: 0n, cacheCost: 0n }
    models.set(f.label, model)
    // Tokens of unpriced calls would thin the rate.
    if (f.unpriced === f.calls) continue
    model.input += tokens('input')
    model.read += tokens('cache_read')
    model.write += tokens('cache_write') + tokens('cache_write_1h')
    model.inputCost += amount('input')
    model.cacheCost += amount('cache_read') + amount('cache_write') + amount('cache_write_1h')
  }
  let saved = 0n
  let unknown = 0n
  let read = 0n
  let prompt = 0n
  for (const m of models.values()) {
    const cached = m.read + m.write
    read += m.read
    prompt += m.input + cached
    if (!cached) continue
    if (m.input) saved += (cached * m.inputCost) / m.input - m.cacheCost
    else unknown += cached
  }
  const share = prompt ? Number((read * 10_000n) / prompt) / 10_000 : null
  return { saved, cached: share, unknown: Number(unknown) }
}
