// Why a cost changed, for the mock API: the real one tells models apart, this one takes all calls together. The steps
// are differences of rounded amounts, so they add up to the change.

import type { TokenClass, WhyChanged, WhyFigures } from '../api/types.ts'
import { printUsd } from '../money.ts'
import type { MockSpan } from './dataset.ts'
import { groupBy, totalOf, type Total } from './query.ts'

const OUTPUT = new Set<TokenClass>(['output', 'reasoning', 'audio_out', 'image_out'])
const CAUSES = ['calls', 'models', 'prompt', 'cache', 'output', 'price'] as const

const figures = (total: Total): WhyFigures => ({
  ...total.sums(),
  amounts: Object.fromEntries([...total.amounts].map(([key, pico]) => [key, printUsd(pico)])),
})

const side = (spans: MockSpan[]) => ({
  ...figures(totalOf(spans)),
  traces: new Set(spans.map((s) => s.trace)).size,
  traces_exact: true,
})

export function why(now: MockSpan[], base: MockSpan[]): WhyChanged {
  const [a, b] = [totalOf(base), totalOf(now)]
  const states = statesBetween(a, b)
  const names = new Set([...groupBy(now, 'model'), ...groupBy(base, 'model')].map(([model]) => model))
  const of = (spans: MockSpan[], model: string | null) =>
    figures(totalOf(spans.filter((s) => s.call!.model === model)))
  return {
    now: side(now),
    base: side(base),
    change_usd: printUsd(b.cost - a.cost),
    steps: CAUSES.map((cause, i) => ({ cause, amount_usd: printUsd(states[i + 1]! - states[i]!) })),
    models: [...names].map((model) => ({ model, now: of(now, model), base: of(base, model) })),
  }
}

function statesBetween(a: Total, b: Total): bigint[] {
  if (!a.calls || !b.calls) return [a.cost, ...CAUSES.map(() => b.cost)]
  const classes = [...new Set([...Object.keys(a.tokens), ...Object.keys(b.tokens)])] as TokenClass[]
  const [sent, received] = [classes.filter((c) => !OUTPUT.has(c)), classes.filter((c) => OUTPUT.has(c))]
  const tokens = (of: Total, c: TokenClass) => of.tokens[c] ?? 0
  const whole = (of: Total) => sent.reduce((sum, c) => sum + tokens(of, c), 0)
  const rate = (c: TokenClass) => {
    const from = tokens(a, c) ? a : b
    return Number(from.amounts.get(c) ?? 0n) / (tokens(from, c) || 1)
  }
  const state = (length: Total, shares: Total, output: Total) => {
    const prompt = sent.reduce(
      (sum, c) => sum + ((whole(length) / length.calls) * tokens(shares, c) * rate(c)) / (whole(shares) || 1),
      0,
    )
    const answer = received.reduce((sum, c) => sum + (tokens(output, c) / output.calls) * rate(c), 0)
    return BigInt(Math.round(b.calls * (prompt + answer)))
  }
  const first = state(a, a, a)
  return [a.cost, first, first, state(b, a, a), state(b, b, a), state(b, b, b), b.cost]
}
