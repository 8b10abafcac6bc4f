// What tokens did cost on average, from the calls themselves.

import type { Flamegraph, TokenClass } from '../../api/types.ts'

export interface PaidRates {
  model: string
  cost: bigint
  /** Pico-dollars for a million tokens of a class that was used and priced. */
  perMillion: Partial<Record<TokenClass, bigint>>
}

/** By label of the frames of kind model that calls end in, dearest first; without calls that have no price. */
export function paidRates(flame: Flamegraph): PaidRates[] {
  const parents = new Set(flame.frames.map((f) => f.parent))
  const sums = new Map<string, { cost: bigint; tokens: Map<string, bigint>; amounts: Map<string, bigint> }>()
  for (const f of flame.frames) {
    if (f.kind !== 'model' || parents.has(f.id) || f.unpriced > 0) continue
    const sum = sums.get(f.label) ?? { cost: 0n, tokens: new Map(), amounts: new Map() }
    sums.set(f.label, sum)
    sum.cost += BigInt(f.total)
    for (const [c, n] of Object.entries(f.tokens ?? {}))
      sum.tokens.set(c, (sum.tokens.get(c) ?? 0n) + BigInt(n))
    for (const [c, pico] of Object.entries(f.amounts ?? {}))
      sum.amounts.set(c, (sum.amounts.get(c) ?? 0n) + BigInt(pico))
  }
  return [...sums]
    .map(([model, { cost, tokens, amounts }]) => ({
      model,
      cost,
      perMillion: Object.fromEntries(
        [...tokens].filter(([, n]) => n > 0n).map(([c, n]) => [c, ((amounts.get(c) ?? 0n) * 1_000_000n) / n]),
      ) as PaidRates['perMillion'],
    }))
    .sort((a, b) => (a.cost < b.cost ? 1 : a.cost > b.cost ? -1 : 0))
}
