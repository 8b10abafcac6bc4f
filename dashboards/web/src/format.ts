// How numbers are written: two to four significant digits, true minus, a space before %.

import { PICO, parseUsd, printUsd, ratio, roundTo } from './money.ts'
import type { Usd } from './api/types.ts'

/** Shown where a value is unknown; never 0. */
export const UNKNOWN = '–'
const MINUS = '−'
const NBSP = '\u00a0'

const abs = (n: bigint) => (n < 0n ? -n : n)

/** 1234567 as 1,234,567. */
export function integer(n: number | bigint): string {
  const text = abs(BigInt(n)).toString()
  const grouped = text.replace(/\B(?=(\d{3})+$)/g, ',')
  return n < 0 ? MINUS + grouped : grouped
}

/** Decimals that leave at least two significant digits of a small amount. */
function decimalsForTwoDigits(pico: bigint): number {
  const magnitude = abs(pico)
  if (magnitude === 0n) return 0
  const digits = magnitude.toString().length // 13 digits = 1 dollar
  return Math.min(12, Math.max(0, 14 - digits))
}

/** Decimals of an amount that stands alone: 5,426 · 92.5 · 4.25 · 0.4131 · 0.0000082. */
export function moneyDecimals(pico: bigint): number {
  const magnitude = abs(pico)
  if (magnitude === 0n || magnitude >= 100n * PICO) return 0
  if (magnitude >= 10n * PICO) return 1
  if (magnitude >= PICO) return 2
  return Math.max(4, decimalsForTwoDigits(magnitude))
}

function fixed(pico: bigint, decimals: number): string {
  const rounded = roundTo(pico, decimals)
  const digits = abs(rounded)
    .toString()
    .padStart(decimals + 1, '0')
  const whole = integer(BigInt(digits.slice(0, digits.length - decimals)))
  const sign = rounded < 0n ? MINUS : ''
  return decimals ? `${sign}${whole}.${digits.slice(-decimals)}` : sign + whole
}

/** Above 9,999 only four digits are significant: 14,059 is shown as 14,060. */
function fourDigits(pico: bigint): bigint {
  const magnitude = abs(pico)
  const dollars = magnitude / PICO
  const excess = dollars.toString().length - 4
  if (excess <= 0) return pico
  const unit = 10n ** BigInt(excess) * PICO
  const rounded = ((magnitude + unit / 2n) / unit) * unit
  return pico < 0n ? -rounded : rounded
}

/** An amount that stands alone, without its unit. */
export function amount(pico: bigint): string {
  return fixed(fourDigits(pico), moneyDecimals(pico))
}

/** An amount that stands alone: $5,426, −$0.0082. Below a dollar, zeros beyond the cents are dropped: $0.84. */
export function money(value: Usd | bigint): string {
  const pico = typeof value === 'bigint' ? value : parseUsd(value)
  const text = amount(abs(pico)).replace(/(\.\d\d\d*?)0+$/, '$1')
  return pico < 0n ? `${MINUS}$${text}` : `$${text}`
}

/** Every place of an amount. */
export function exactMoney(value: Usd | bigint): string {
  const text = typeof value === 'bigint' ? printUsd(value) : value
  const negative = text.startsWith('-')
  const [whole, rest] = text.replace('-', '').split('.')
  return `${negative ? MINUS : ''}$${integer(BigInt(whole!))}${rest ? `.${rest}` : ''}`
}

/** A quantity in a column: tokens, calls or microseconds. */
export const quantity = (unit: 'tokens' | 'calls' | 'us' | 'picousd', n: bigint) =>
  unit === 'us' ? duration(Number(n)) : compact(Number(n))

/** A signed amount for changes: +$1,699, −$231, $0. */
export function signedMoney(pico: bigint): string {
  return pico > 0n ? `+${money(pico)}` : money(pico)
}

/** A number in a column whose decimal points stand in line: `text`, then `pad` drawn invisibly. */
export interface Aligned {
  text: string
  pad: string
}

export interface Column {
  decimals: number
  format: (pico: bigint) => Aligned
}

/** Formats a column of amounts; at most `cap` decimals, smaller amounts are written as "<0.01". */
export function moneyColumn(amounts: Iterable<bigint>, cap = 12): Column {
  const list = [...amounts]
  const largest = list.reduce((max, pico) => (abs(pico) > max ? abs(pico) : max), 0n)
  const base = Math.min(cap, moneyDecimals(largest))
  const decimalsOf = (pico: bigint) =>
    pico === 0n ? 0 : Math.min(cap, Math.max(base, decimalsForTwoDigits(pico)))
  const decimals = list.reduce((max, pico) => Math.max(max, decimalsOf(pico)), 0)
  const padding = (own: number) =>
    own === decimals ? '' : (own === 0 ? '.' : '') + '0'.repeat(decimals - own)
  const format = (pico: bigint): Aligned => {
    const own = decimalsOf(pico)
    if (pico !== 0n && roundTo(pico, own) === 0n) {
      const least = own ? `0.${'0'.repeat(own - 1)}1` : '1'
      return { text: `<${least}`, pad: padding(own) }
    }
    return { text: fixed(pico, own), pad: padding(own) }
  }
  return { decimals, format }
}

const SCALES: [number, string][] = [
  [1e15, 'P'],
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
]

/** A count in three digits: 7,205 · 10.5 M · 1.61 G. Below 10,000 it is exact. */
export function compact(n: number): string {
  if (Math.abs(n) < 10_000) return integer(Math.round(n))
  for (const [index, [scale, unit]] of SCALES.entries()) {
    if (Math.abs(n) < scale) continue
    const text = threeDigits(Math.abs(n) / scale)
    const larger = SCALES[index - 1]
    const shown = text === '1000' && larger ? `1.00${NBSP}${larger[1]}` : `${text}${NBSP}${unit}`
    return n < 0 ? MINUS + shown : shown
  }
  return integer(Math.round(n))
}

function threeDigits(x: number): string {
  if (x >= 99.95) return x.toFixed(0)
  return x >= 9.995 ? x.toFixed(1) : x.toFixed(2)
}

/** 0.354 as 35.4 %; null is unknown. */
export function percent(share: number | null): string {
  if (share === null || !Number.isFinite(share)) return UNKNOWN
  const text = (Math.abs(share) * 100).toFixed(1)
  return `${share < 0 && text !== '0.0' ? MINUS : ''}${text === '100.0' ? '100' : text}${NBSP}%`
}

/** A share that must not look complete when it is not: rounded down, and 100 % only for 1. */
export function coverage(share: number | null): string {
  if (share === null) return UNKNOWN
  if (share >= 1) return `100${NBSP}%`
  return `${(Math.floor(share * 1000) / 10).toFixed(1)}${NBSP}%`
}

/** Relative change with its sign: +13.7 %. Unknown when there was nothing before. */
export function change(now: bigint, before: bigint): string {
  const by = ratio(now - before, before)
  if (by === null) return now === 0n ? percent(0) : 'new'
  if (by >= 10) return `×${NBSP}${compact(Math.round(by + 1))}`
  return by > 0 && percent(by) !== percent(0) ? `+${percent(by)}` : percent(by)
}

/** 900 ms · 2.12 s · 3 min 05 s · 2 h 10 min. */
export function duration(us: number): string {
  const ms = us / 1000
  if (us === 0) return `0${NBSP}ms`
  if (ms < 10) return `${ms < 1 ? ms.toFixed(2) : ms.toFixed(1)}${NBSP}ms`
  if (ms < 999.5) return `${Math.round(ms)}${NBSP}ms`
  const s = ms / 1000
  if (s < 99.995) return `${s.toFixed(2)}${NBSP}s`
  const total = Math.round(s)
  const two = (n: number) => n.toString().padStart(2, '0')
  if (total < 3600) return `${Math.floor(total / 60)}${NBSP}min ${two(total % 60)}${NBSP}s`
  if (total < 172_800)
    return `${Math.floor(total / 3600)}${NBSP}h ${two(Math.floor((total % 3600) / 60))}${NBSP}min`
  return `${integer(Math.floor(total / 86_400))}${NBSP}d ${Math.floor((total % 86_400) / 3600)}${NBSP}h`
}

/** "1 call", "2 calls". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${integer(n)} ${n === 1 ? one : many}`
}
