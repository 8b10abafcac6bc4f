// Models and prices of the mock API.

import type { Models, Rate } from '../api/types.ts'
import { printUsd } from '../money.ts'
import type { Context } from './api.ts'
import { MODELS } from './prices.ts'
import { groupBy, select } from './query.ts'

export function models({ data, query, now }: Context): Models {
  const groups = groupBy(select(data, query, now), 'model')
  return {
    catalog: '0123456789abcdef',
    models: groups.map(([model, total]) => {
      const known = MODELS[model!]
      const rates = Object.entries(known?.rates ?? {}).map(([unit, dollars]): Rate => {
        const usd = printUsd(BigInt(Math.round(dollars * 1e6)) * 1_000_000n)
        return { unit: unit as Rate['unit'], usd, largest_usd: usd, per: 1_000_000 }
      })
      return {
        provider: known?.provider ?? null,
        model,
        ...total.sums(),
        price: known?.rates
          ? {
              provider: known.provider,
              model: model!,
              since: known.since,
              condition: known.condition,
              flags: [],
              rates,
            }
          : null,
      }
    }),
    unpriced: [],
    differences: [],
  }
}
