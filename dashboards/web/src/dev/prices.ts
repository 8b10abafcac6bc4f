// Prices of the invented company's models: dollars per million tokens.

import type { LineUnit, ReceiptLine, TokenClass, Tokens } from '../api/types.ts'
import { printUsd } from '../money.ts'

type Rates = Partial<Record<TokenClass, number>>

export interface Priced {
  provider: string
  /** Dated model that answers. */
  served: string
  rates: Rates | null
  since: string
  condition: string
}

export const MODELS: Record<string, Priced> = {
  'claude-sonnet-4-5': {
    provider: 'anthropic',
    served: 'claude-sonnet-4-5-20250929',
    rates: { input: 3, cache_read: 0.3, cache_write: 3.75, output: 15 },
    since: '2025-09-29',
    condition: 'input up to 200,000 tokens',
  },
  'claude-haiku-4-5': {
    provider: 'anthropic',
    served: 'claude-haiku-4-5-20251001',
    rates: { input: 1, cache_read: 0.1, cache_write: 1.25, output: 5 },
    since: '2025-10-15',
    condition: '',
  },
  'gpt-5': {
    provider: 'openai',
    served: 'gpt-5-2025-08-07',
    rates: { input: 1.25, cache_read: 0.125, output: 10, reasoning: 10 },
    since: '2025-08-07',
    condition: '',
  },
  'gpt-5-mini': {
    provider: 'openai',
    served: 'gpt-5-mini-2025-08-07',
    rates: { input: 0.25, cache_read: 0.025, output: 2, reasoning: 2 },
    since: '2025-08-07',
    condition: '',
  },
  'gpt-5-nano': {
    provider: 'openai',
    served: 'gpt-5-nano-2025-08-07',
    rates: { input: 0.05, cache_read: 0.005, output: 0.4, reasoning: 0.4 },
    since: '2025-08-07',
    condition: '',
  },
  'gemini-2.5-pro': {
    provider: 'google',
    served: 'gemini-2.5-pro',
    rates: { input: 1.25, cache_read: 0.125, output: 10, reasoning: 10 },
    since: '2025-06-17',
    condition: 'input up to 200,000 tokens',
  },
  'gemini-2.5-flash': {
    provider: 'google',
    served: 'gemini-2.5-flash',
    rates: { input: 0.3, cache_read: 0.03, output: 2.5, reasoning: 2.5 },
    since: '2025-06-17',
    condition: '',
  },
  'mistral-small-latest': {
    provider: 'mistral',
    served: 'mistral-small-2506',
    rates: { input: 0.1, output: 0.3 },
    since: '2025-06-20',
    condition: '',
  },
  'text-embedding-3-small': {
    provider: 'openai',
    served: 'text-embedding-3-small',
    rates: { input: 0.02 },
    since: '2024-01-25',
    condition: '',
  },
  'nimbus-70b-instruct': {
    provider: 'selfhosted',
    served: 'nimbus-70b-instruct',
    rates: null,
    since: '',
    condition: '',
  },
}

const CLASSES: TokenClass[] = ['input', 'cache_read', 'cache_write', 'output', 'reasoning']

/** Pico-dollars by class; null when the model has no price. Rates have at most six decimals, so this is exact. */
export function price(model: string, tokens: Tokens): Map<TokenClass, number> | null {
  const rates = MODELS[model]!.rates
  if (!rates) return null
  const amounts = new Map<TokenClass, number>()
  for (const unit of CLASSES) {
    const quantity = tokens[unit]
    if (quantity) amounts.set(unit, quantity * Math.round((rates[unit] ?? rates.input!) * 1e6))
  }
  return amounts
}

export function receiptLines(model: string, tokens: Tokens): ReceiptLine[] {
  const rates = MODELS[model]!.rates
  const amounts = price(model, tokens)
  if (!rates || !amounts) return []
  return [...amounts].map(([unit, pico]) => ({
    unit: unit as LineUnit,
    quantity: tokens[unit]!,
    rate_usd: printUsd(BigInt(Math.round((rates[unit] ?? rates.input!) * 1e6)) * 1_000_000n),
    per: 1_000_000,
    amount_usd: printUsd(BigInt(pico)),
  }))
}
