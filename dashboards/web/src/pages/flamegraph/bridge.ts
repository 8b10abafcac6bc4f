// A change as a bridge: what was before, what each cause added to it, what is now.

import type { CauseWord, WhyChanged } from '../../api/types.ts'
import { brought, type Traces } from '../../flame/difference.ts'
import { money, moneyColumn } from '../../format.ts'
import { parseUsd } from '../../money.ts'
import { causeName } from './causes.ts'

export interface Pier {
  name: string
  text: string
  /** From and to in pico-dollars. */
  from: bigint
  to: bigint
  tone: 'end' | 'up' | 'down' | 'none'
}

interface Step {
  cause: CauseWord
  amount: bigint
}

/** Cost before and the steps from there. `traces`: the base is brought to as many traces as now. */
export function stepsOf(why: WhyChanged, traces: Traces | null): { before: bigint; steps: Step[] } {
  const cost = parseUsd(why.base.cost_usd)
  const before = traces ? brought(cost, traces) : cost
  const all = why.steps.map(({ cause, amount_usd }) => ({ cause, amount: parseUsd(amount_usd) }))
  // Without calls on one side the change has no other cause than these.
  const steps = why.now.calls && why.base.calls ? all : all.slice(0, 1)
  // What every trace did before is brought along with the traces; only the number of calls is compared with it.
  const moved = (step: Step) =>
    step.cause === 'calls' ? { ...step, amount: step.amount - (before - cost) } : step
  return { before, steps: steps.map(moved) }
}

export function bridge(why: WhyChanged, traces: Traces | null, baseName: string, nowName: string): Pier[] {
  const { before, steps } = stepsOf(why, traces)
  const after = parseUsd(why.now.cost_usd)
  const end = (name: string, cost: bigint): Pier => ({
    name,
    text: money(cost),
    from: 0n,
    to: cost,
    tone: 'end',
  })
  const size = (amount: bigint) => (amount < 0n ? -amount : amount)
  const column = moneyColumn([before, after, ...steps.map((s) => size(s.amount))], 2)
  const signed = (amount: bigint) => {
    const { text } = column.format(size(amount))
    return `${amount > 0n ? '+' : amount < 0n ? '−' : ''}${text.startsWith('<') ? `<$${text.slice(1)}` : `$${text}`}`
  }
  let at = before
  const middle = steps.map(({ cause, amount }): Pier => {
    const from = at
    at += amount
    return {
      name: causeName(cause, amount, traces !== null),
      text: signed(amount),
      from,
      to: at,
      tone: amount * 1000n < -after ? 'down' : amount * 1000n > after ? 'up' : 'none',
    }
  })
  return [end(baseName, before), ...middle, end(nowName, after)]
}
