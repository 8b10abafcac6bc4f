// What a calendar month will cost: what it has cost so far, and for each day to come the same weekday of last week.

import type { Timeseries } from './api/types.ts'
import { parseUsd } from './money.ts'
import { DAY, startOfDay, startOfMonth } from './time.ts'

/** From when on daily figures are needed. */
export function forecastFrom(now: number, tz: string): number {
  return Math.min(startOfMonth(now, tz), startOfDay(now, tz, -7))
}

/**
 * Pico-dollars of the month that contains `now`; null without seven days of data. `first`: start of the oldest call.
 * Of today, the part of the day that is left is taken from the same weekday, by time.
 */
export function forecast(daily: Timeseries, now: number, tz: string, first: number | null): bigint | null {
  if (first === null || first > startOfDay(now, tz, -7) + DAY) return null
  const cost = new Map<number, bigint>()
  for (const [i, bucket] of daily.buckets.entries())
    cost.set(Date.parse(bucket.start), parseUsd(daily.series[0]?.cost_usd[i] ?? '0'))
  const [month, next] = [startOfMonth(now, tz), startOfMonth(now, tz, 1)]
  const today = startOfDay(now, tz)
  let sum = 0n
  for (const [start, spent] of cost) if (start >= month && start <= today) sum += spent
  const lastWeek = (day: number) => cost.get(startOfDay(now, tz, (day % 7) - 7)) ?? 0n
  for (let ahead = 1; startOfDay(now, tz, ahead) < next; ahead++) sum += lastWeek(ahead)
  const weekAgo = cost.get(startOfDay(now, tz, -7)) ?? 0n
  const left = startOfDay(now, tz, 1) - now
  return sum + (weekAgo * BigInt(Math.round(left))) / BigInt(DAY)
}
