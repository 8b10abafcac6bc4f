import { describe, expect, it } from 'vitest'

import type { Timeseries } from './api/types.ts'
import { forecast, forecastFrom } from './forecast.ts'
import { parseUsd } from './money.ts'
import { DAY } from './time.ts'

function daily(from: number, costs: number[]): Timeseries {
  const time = (day: number) => new Date(from + day * DAY).toISOString()
  return {
    by: null,
    interval: 'day',
    tz: 'UTC',
    buckets: costs.map((_, i) => ({ start: time(i), end: time(i + 1) })),
    series: [{ value: null, cost_usd: costs.map(String), calls: [], tokens: [], errors: [] }],
    rest: null,
  }
}

const at = (day: number, hour = 0) => Date.UTC(2026, 10, day, hour)

describe('forecast', () => {
  it('repeats the last week to the end of the month', () => {
    // 1 to 22 November at one dollar a day, except 20 dollars on Sunday the 22nd; now is Monday the 23rd at 0:00.
    const costs = Array.from({ length: 23 }, (_, i) => (i === 21 ? 20 : i === 22 ? 0 : 1))
    // 41 so far; Monday 1; Tuesday to Saturday 5; Sunday the 29th 20; Monday the 30th 1.
    expect(forecast(daily(at(1), costs), at(23), 'UTC', at(1))).toBe(parseUsd('68'))
  })

  it('takes only what is left of today', () => {
    const costs = Array.from({ length: 30 }, () => 2)
    expect(forecast(daily(at(1), costs), at(30, 12), 'UTC', at(1))).toBe(parseUsd('61'))
  })

  it('reaches back over the start of the month, and counts only the month', () => {
    const now = at(3, 0)
    expect(forecastFrom(now, 'UTC')).toBe(Date.UTC(2026, 9, 27))
    const costs = Array.from({ length: 8 }, (_, i) => (i < 5 ? 3 : i === 7 ? 0 : 1))
    // 1st and 2nd: 1 each. Then weeks of 3 3 3 3 3 1 1.
    expect(forecast(daily(Date.UTC(2026, 9, 27), costs), now, 'UTC', 0)).toBe(
      parseUsd(String(2 + sum(3, costs))),
    )
  })

  it('is unknown without a week of data', () => {
    expect(forecast(daily(at(20), [1, 1, 1]), at(22, 12), 'UTC', at(20))).toBeNull()
    expect(forecast(daily(at(20), []), at(22), 'UTC', null)).toBeNull()
  })
})

/** Days from the `day`th to the 30th, each as its weekday in the week that `costs` begins with. */
function sum(day: number, costs: number[]): number {
  let all = 0
  for (let d = day; d <= 30; d++) all += costs[(d - day) % 7]!
  return all
}
