import { describe, expect, it } from 'vitest'

import { axisLabels, niceStep, tickText } from './axis.ts'

const HOUR = 3_600_000

describe('axis', () => {
  it('labels Mondays of a month and noon of a week', () => {
    const days = Array.from({ length: 22 }, (_, i) => Date.UTC(2026, 10, 1 + i))
    expect(axisLabels(days, 'day', 'UTC').filter(Boolean)).toEqual(['Mon 2', 'Mon 9', 'Mon 16'])
    const hours = Array.from({ length: 72 }, (_, i) => Date.UTC(2026, 10, 16) + i * HOUR)
    expect(axisLabels(hours, 'hour', 'UTC').filter(Boolean)).toEqual(['Mon 16', 'Tue 17', 'Wed 18'])
    expect(axisLabels(hours.slice(0, 24), 'hour', 'UTC').filter(Boolean)[1]).toBe('03:00')
  })

  it('chooses round steps', () => {
    expect(niceStep(1180)).toBe(250)
    expect(niceStep(0.0031)).toBeCloseTo(0.001)
    expect(niceStep(0)).toBe(1)
  })

  it('writes ticks with the decimals of their step', () => {
    expect(tickText(1200, 200)).toBe('1,200')
    expect(tickText(0.75, 0.25)).toBe('0.75')
    expect(tickText(0.002, 0.001)).toBe('0.002')
    expect(tickText(7.5, 2.5)).toBe('7.5')
    expect(tickText(150_000, 50_000)).toBe('150 k')
    expect(tickText(0, 0.5)).toBe('0')
    expect(tickText(2_500_000, 500_000)).toBe('2.5 M')
  })
})
