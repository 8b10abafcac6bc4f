// Money as bigint pico-dollars: exact sums in the browser, no float between the API and a shown amount.

import type { Usd } from './api/types.ts'

/** Pico-dollars in one dollar. */
export const PICO = 1_000_000_000_000n

const DECIMAL = /^(-?)(\d+)(?:\.(\d{1,12}))?$/

/** Pico-dollars of an exact decimal; throws on anything else, since a silent 0 would be a lie. */
export function parseUsd(text: Usd): bigint {
  const match = DECIMAL.exec(text)
  if (!match) throw new RangeError(`not an amount: ${text.slice(0, 40)}`)
  const pico = BigInt(match[2]!) * PICO + BigInt((match[3] ?? '').padEnd(12, '0'))
  return match[1] ? -pico : pico
}

/** Exact decimal dollars without trailing zeros, as the API prints them. */
export function printUsd(pico: bigint): Usd {
  const sign = pico < 0n ? '-' : ''
  const magnitude = pico < 0n ? -pico : pico
  const rest = magnitude % PICO
  if (rest === 0n) return `${sign}${magnitude / PICO}`
  return `${sign}${magnitude / PICO}.${rest.toString().padStart(12, '0').replace(/0+$/, '')}`
}

export function sumUsd(amounts: Iterable<Usd>): bigint {
  let sum = 0n
  for (const amount of amounts) sum += parseUsd(amount)
  return sum
}

/** part / whole as a float for bars and percentages, exact to 1e-9; null when the whole is 0. */
export function ratio(part: bigint, whole: bigint): number | null {
  if (whole === 0n) return null
  return Number((part * 1_000_000_000n) / whole) / 1e9
}

/** Pico-dollars rounded half up (away from zero) to `decimals` places, 0 to 12, as an integer of that unit. */
export function roundTo(pico: bigint, decimals: number): bigint {
  const unit = 10n ** BigInt(12 - decimals)
  const magnitude = pico < 0n ? -pico : pico
  const rounded = (magnitude + unit / 2n) / unit
  return pico < 0n ? -rounded : rounded
}
