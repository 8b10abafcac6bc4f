// A receipt as lines of text whose figures stand in line, exact to the last place.

import type { Receipt, ReceiptLine, Usd } from '../api/types.ts'
import { integer } from '../format.ts'
import { parseUsd, printUsd } from '../money.ts'
import { unitName } from '../names.ts'

/** Places after the point. */
const places = (text: Usd) => text.split('.')[1]?.length ?? 0

/** Exact amounts, all with as many places as the longest needs and at least `least`. */
export function inLine(amounts: Usd[], least: number): string[] {
  const count = Math.max(least, ...amounts.map(places))
  return amounts.map((text) => {
    const [whole, rest = ''] = text.replace('-', '').split('.')
    const sign = text.startsWith('-') ? '−' : ''
    return `${sign}${integer(BigInt(whole!))}${count ? `.${rest.padEnd(count, '0')}` : ''}`
  })
}

export interface ReceiptRow {
  name: string
  quantity: string
  rate: string
  /** Empty for the usual million. */
  per: string
  amount: string
}

export interface Sheet {
  rows: ReceiptRow[]
  /** Null when the cost is unknown. */
  total: string | null
  /** False if the lines do not add up to the cost: then something is wrong, and the page says so. */
  adds: boolean
}

const perText = (line: ReceiptLine) =>
  line.per === 1_000_000 ? '' : line.per === 1 ? 'each' : `per ${integer(line.per)}`

export function sheetOf(receipt: Receipt): Sheet {
  if (receipt.cost_usd === null) return { rows: unpricedRows(receipt), total: null, adds: true }
  const amounts = inLine([...receipt.lines.map((l) => l.amount_usd), receipt.cost_usd], 4)
  const rates = inLine(
    receipt.lines.map((l) => l.rate_usd),
    2,
  )
  const sum = receipt.lines.reduce((total, line) => total + parseUsd(line.amount_usd), 0n)
  return {
    rows: receipt.lines.map((line, i) => ({
      name: unitName(line.unit),
      quantity: integer(line.quantity),
      rate: rates[i]!,
      per: perText(line),
      amount: amounts[i]!,
    })),
    total: amounts.at(-1)!,
    adds: printUsd(sum) === receipt.cost_usd || receipt.lines.length === 0,
  }
}

function unpricedRows(receipt: Receipt): ReceiptRow[] {
  return Object.entries(receipt.tokens).map(([unit, quantity]) => ({
    name: unitName(unit as ReceiptLine['unit']),
    quantity: integer(quantity),
    rate: '–',
    per: '',
    amount: '–',
  }))
}

/** For the clipboard. */
export function receiptText(receipt: Receipt): string {
  const sheet = sheetOf(receipt)
  const lines = sheet.rows.map(
    (r) => `${r.name}\t${r.quantity} × ${r.rate}${r.per ? ` ${r.per}` : ' per M'}\t= ${r.amount}`,
  )
  return [
    `${receipt.provider ?? 'unknown provider'} / ${receipt.model ?? 'unknown model'}`,
    ...lines,
    `total\t$${sheet.total ?? ' unknown'}`,
    `trace ${receipt.trace_id} span ${receipt.span_id}`,
  ].join('\n')
}
