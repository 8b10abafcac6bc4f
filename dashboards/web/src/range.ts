// Time ranges as people choose them, resolved to instants; and the period they are compared with.

import {
  DAY,
  dayText,
  monthName,
  rangeText,
  startOfDay,
  startOfMonth,
  startOfWeek,
  toLocal,
  fromLocal,
} from './time.ts'
import type { Interval } from './api/types.ts'

export const QUICK_RANGES = {
  '1h': 'Last hour',
  '24h': 'Last 24 hours',
  today: 'Today',
  yesterday: 'Yesterday',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
  '90d': 'Last 90 days',
  week: 'This week',
  lastweek: 'Last week',
  month: 'This month',
  lastmonth: 'Last month',
} as const

export type QuickRange = keyof typeof QUICK_RANGES

/** Half-open [from, to) in epoch milliseconds. */
export interface Span {
  from: number
  to: number
}

export type Range = QuickRange | Span

export const COMPARISONS = {
  none: 'nothing',
  previous: 'the period before',
  weekdays: 'the same weekdays before',
} as const

export type Comparison = keyof typeof COMPARISONS

/** The instants of a range; quick ranges that reach up to now end there. */
export function resolve(range: Range, now: number, tz: string): Span {
  if (typeof range === 'object') return range
  switch (range) {
    case '1h':
      return { from: now - 3_600_000, to: now }
    case '24h':
      return { from: now - DAY, to: now }
    case 'today':
      return { from: startOfDay(now, tz), to: now }
    case 'yesterday':
      return { from: startOfDay(now, tz, -1), to: startOfDay(now, tz) }
    case '7d':
      return { from: startOfDay(now, tz, -6), to: now }
    case '30d':
      return { from: startOfDay(now, tz, -29), to: now }
    case '90d':
      return { from: startOfDay(now, tz, -89), to: now }
    case 'week':
      return { from: startOfWeek(now, tz), to: now }
    case 'lastweek':
      return { from: startOfWeek(now, tz, -1), to: startOfWeek(now, tz) }
    case 'month':
      return { from: startOfMonth(now, tz), to: now }
    case 'lastmonth':
      return { from: startOfMonth(now, tz, -1), to: startOfMonth(now, tz) }
  }
}

/** Calendar days that a range touches. */
function daysOf({ from, to }: Span, tz: string): number {
  return Math.max(1, Math.round((startOfDay(to - 1, tz, 1) - startOfDay(from, tz)) / DAY))
}

function shiftDays(ms: number, tz: string, days: number): number {
  const l = toLocal(ms, tz)
  return fromLocal(l.year, l.month, l.day + days, l.hour, l.minute, tz) + l.second * 1000 + (ms % 1000)
}

/** The period to compare with; null for none. It has the range's length, so that a day half gone meets half a day. */
export function baseline(range: Range, now: number, tz: string, comparison: Comparison): Span | null {
  if (comparison === 'none') return null
  const span = resolve(range, now, tz)
  const length = span.to - span.from
  const short = length < DAY && range !== 'today'
  if (comparison === 'weekdays') {
    const days = 7 * Math.ceil(daysOf(span, tz) / 7)
    return { from: shiftDays(span.from, tz, -days), to: shiftDays(span.to, tz, -days) }
  }
  if (range === 'lastmonth') return { from: startOfMonth(now, tz, -2), to: startOfMonth(now, tz, -1) }
  if (range === 'month') {
    const from = startOfMonth(now, tz, -1)
    return { from, to: Math.min(from + length, span.from) }
  }
  if (short || range === '24h') return { from: span.from - length, to: span.from }
  const days = range === 'week' ? 7 : daysOf(span, tz)
  return { from: shiftDays(span.from, tz, -days), to: shiftDays(span.to, tz, -days) }
}

/** What stands on the range button: its name (if it has one) and its days. */
export function rangeLabel(range: Range, now: number, tz: string): { name: string | null; text: string } {
  const span = resolve(range, now, tz)
  const name = typeof range === 'object' ? null : QUICK_RANGES[range]
  return { name, text: rangeText(span.from, span.to, tz) }
}

/** Short name of a baseline for legends: "October", "1 – 22 Oct". */
export function baselineLabel(span: Span, tz: string): string {
  const from = toLocal(span.from, tz)
  const wholeMonth =
    startOfMonth(span.from, tz) === span.from && startOfMonth(span.from, tz, 1) === span.to && from.day === 1
  if (wholeMonth) return monthName(from.month)
  if (span.to - span.from < DAY)
    return `${dayText(span.from, tz)}, ${rangeText(span.from, span.to, tz, false).split(', ').at(-1)}`
  return rangeText(span.from, span.to, tz, false)
}

/** Bucket width that gives a readable chart: 20 to 120 bars. */
export function defaultInterval({ from, to }: Span): Interval {
  const length = to - from
  if (length <= 1.1 * DAY) return '15min'
  if (length <= 4 * DAY) return 'hour'
  if (length <= 130 * DAY) return 'day'
  return length <= 800 * DAY ? 'week' : 'month'
}

/** Widths that stay between 1 and `most` bars over the range. */
export function possibleIntervals({ from, to }: Span, most = 800): Interval[] {
  const widths: [Interval, number][] = [
    ['15min', DAY / 96],
    ['hour', DAY / 24],
    ['day', DAY],
    ['week', 7 * DAY],
    ['month', 30 * DAY],
  ]
  const length = to - from
  return widths.filter(([, width]) => length / width <= most && length / width >= 0.9).map(([name]) => name)
}

export const INTERVAL_NAMES: Record<Interval, string> = {
  '15min': '15 minutes',
  hour: 'hour',
  day: 'day',
  week: 'week',
  month: 'month',
}
