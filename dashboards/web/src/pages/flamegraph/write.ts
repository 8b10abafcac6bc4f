// How quantities of a flamegraph are written, by its unit.

import type { Flamegraph } from '../../api/types.ts'
import { compact, duration, integer, money, signedMoney } from '../../format.ts'
import { roundTo } from '../../money.ts'

export interface Write {
  /** Alone: $5,426, 327 M. */
  plain: (quantity: bigint) => string
  /** With its sign: +$1,201. */
  signed: (quantity: bigint) => string
  /** Where one checks a sum: money to the cent. */
  exact: (quantity: bigint) => string
  /** " calls", " tokens"; empty where the quantity names its unit. */
  noun: string
}

const plus = (write: (quantity: bigint) => string) => (quantity: bigint) =>
  quantity > 0n ? `+${write(quantity)}` : write(quantity)

export function writer(unit: Flamegraph['unit']): Write {
  if (unit === 'picousd') return { plain: money, signed: signedMoney, exact: cents, noun: '' }
  if (unit === 'us') {
    const plain = (quantity: bigint) =>
      quantity < 0n ? `−${duration(Number(-quantity))}` : duration(Number(quantity))
    return { plain, signed: plus(plain), exact: plain, noun: '' }
  }
  const plain = unit === 'tokens' ? (q: bigint) => compact(Number(q)) : (q: bigint) => integer(q)
  const exact = (quantity: bigint) => `${integer(quantity)} ${unit}`
  return { plain, signed: plus(plain), exact, noun: ` ${unit}` }
}

/** $1,284.10; below ten cents as any other amount. */
function cents(pico: bigint): string {
  const rounded = roundTo(pico, 2)
  if (pico < 100_000_000_000n) return money(pico)
  return `$${integer(rounded / 100n)}.${(rounded % 100n).toString().padStart(2, '0')}`
}
