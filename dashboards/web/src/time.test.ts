import { describe, expect, it } from 'vitest'

import { baseline, baselineLabel, resolve } from './range.ts'
import {
  DAY,
  fromLocal,
  fullText,
  inputText,
  parseInput,
  rangeText,
  startOfDay,
  startOfMonth,
  startOfWeek,
} from './time.ts'

const BERLIN = 'Europe/Berlin'

describe('time', () => {
  it('reads a clock in any zone', () => {
    expect(fromLocal(2026, 11, 19, 14, 2, BERLIN)).toBe(Date.UTC(2026, 10, 19, 13, 2))
    expect(fromLocal(2026, 7, 1, 0, 0, BERLIN)).toBe(Date.UTC(2026, 5, 30, 22))
    expect(fromLocal(2026, 1, 1, 0, 0, 'Asia/Kolkata')).toBe(Date.UTC(2025, 11, 31, 18, 30))
  })

  it('survives the hours that a change of clocks skips or repeats', () => {
    // 29 March 2026: 02:00 to 03:00 does not exist; 25 October 2026: 02:30 happens twice.
    expect(inputText(fromLocal(2026, 3, 29, 2, 30, BERLIN), BERLIN)).toBe('2026-03-29T03:30')
    expect(fromLocal(2026, 10, 25, 2, 30, BERLIN)).toBe(Date.UTC(2026, 9, 25, 0, 30))
    expect(
      startOfDay(Date.UTC(2026, 9, 25, 12), BERLIN, 1) - startOfDay(Date.UTC(2026, 9, 25, 12), BERLIN),
    ).toBe(25 * 3_600_000)
  })

  it('finds days, weeks and months', () => {
    const now = Date.UTC(2026, 10, 22, 23, 30) // Monday 00:30 in Berlin
    expect(startOfDay(now, BERLIN)).toBe(Date.UTC(2026, 10, 22, 23))
    expect(startOfWeek(now, BERLIN)).toBe(Date.UTC(2026, 10, 22, 23))
    expect(startOfWeek(now, 'UTC')).toBe(Date.UTC(2026, 10, 16))
    expect(startOfMonth(now, 'UTC', -11)).toBe(Date.UTC(2025, 11, 1))
  })

  it('round-trips the inputs of a custom range', () => {
    const ms = Date.UTC(2026, 10, 1, 5, 7)
    expect(parseInput(inputText(ms, BERLIN), BERLIN)).toBe(ms)
    expect(parseInput('soon', BERLIN)).toBeNull()
  })

  it('writes ranges in few words', () => {
    const day = (m: number, d: number, h = 0) => Date.UTC(2026, m - 1, d, h)
    expect(rangeText(day(11, 1), day(11, 23), 'UTC')).toBe('1 – 22 Nov 2026')
    expect(rangeText(day(10, 28), day(11, 4), 'UTC')).toBe('28 Oct – 3 Nov 2026')
    expect(rangeText(day(11, 19), day(11, 20), 'UTC')).toBe('19 Nov 2026')
    expect(rangeText(day(11, 19, 14), day(11, 19, 16), 'UTC')).toBe('19 Nov 2026, 14:00 – 16:00')
    expect(rangeText(Date.UTC(2025, 11, 30), day(1, 3), 'UTC')).toBe('30 Dec 2025 – 2 Jan 2026')
    expect(fullText(Date.UTC(2026, 10, 19, 13, 2, 11, 284), BERLIN)).toBe('Thu 19 Nov 2026, 14:02:11.284')
  })
})

describe('ranges', () => {
  const now = Date.UTC(2026, 10, 22, 15)

  it('end now or at a calendar edge', () => {
    expect(resolve('7d', now, 'UTC')).toEqual({ from: Date.UTC(2026, 10, 16), to: now })
    expect(resolve('lastweek', now, 'UTC')).toEqual({
      from: Date.UTC(2026, 10, 9),
      to: Date.UTC(2026, 10, 16),
    })
    expect(resolve('month', now, 'UTC').from).toBe(Date.UTC(2026, 10, 1))
  })

  it('compare with a period of the same length', () => {
    for (const range of ['24h', 'today', '7d', '30d', 'week', 'lastweek', 'month'] as const) {
      const span = resolve(range, now, 'UTC')
      const base = baseline(range, now, 'UTC', 'previous')!
      expect(base.to - base.from, range).toBe(span.to - span.from)
      expect(base.to, range).toBeLessThanOrEqual(
        span.from + (range === 'today' ? DAY : range === '7d' || range === '30d' ? DAY : 0),
      )
    }
  })

  it('compare with the same weekdays', () => {
    const base = baseline('month', now, 'UTC', 'weekdays')!
    expect(base.from).toBe(Date.UTC(2026, 9, 4))
    expect(baselineLabel(base, 'UTC')).toBe('4 – 25 Oct')
    expect(baseline('month', now, 'UTC', 'none')).toBeNull()
  })

  it('name a whole month', () => {
    expect(baselineLabel({ from: Date.UTC(2026, 9, 1), to: Date.UTC(2026, 10, 1) }, 'UTC')).toBe('October')
  })
})
