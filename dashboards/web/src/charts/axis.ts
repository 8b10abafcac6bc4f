// Labels of a time axis, and the steps of a value axis.

import { clockText, dayText, toLocal, weekday } from '../time.ts'
import type { Interval } from '../api/types.ts'

/** One label per bucket; empty where none is drawn. `starts` are epoch milliseconds. */
export function axisLabels(starts: number[], interval: Interval, tz: string): string[] {
  const span = starts.length
  return starts.map((ms) => {
    const l = toLocal(ms, tz)
    switch (interval) {
      case '15min':
      case 'hour': {
        const hours = interval === 'hour' ? span : span / 4
        if (l.minute !== 0) return ''
        if (hours <= 36) return l.hour % 3 === 0 ? clockText(ms, tz) : ''
        return l.hour === 12 ? `${weekday(ms, tz)} ${l.day}` : ''
      }
      case 'day': {
        if (span <= 10) return `${weekday(ms, tz)} ${l.day}`
        if (span > 75) return l.day === 1 ? dayText(ms, tz) : ''
        const day = weekday(ms, tz)
        return day === 'Mon' ? (span > 30 ? dayText(ms, tz) : `Mon ${l.day}`) : ''
      }
      case 'week':
        return l.day <= 7 ? dayText(ms, tz) : ''
      case 'month':
        return l.month === 1 ? String(l.year) : dayText(ms, tz).split(' ')[1]!
    }
  })
}

/** A round step that divides `most` into at most `parts`. */
export function niceStep(most: number, parts = 5): number {
  if (!(most > 0)) return 1
  const rough = most / parts
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 2.5, 5, 10].find((s) => s * power >= rough * 0.999)!
  return step * power
}

/** Ticks as text: decimals as the step needs, thousands separated. */
export function tickText(value: number, step: number): string {
  if (value >= 1e5 && value < 1e6) return `${Number((value / 1e3).toFixed(1))} k`
  if (value >= 1e6) return `${Number((value / 1e6).toFixed(2))} M`
  if (value === 0) return '0'
  const places = Number(step.toPrecision(3)).toFixed(12).replace(/0+$/, '').split('.')[1]?.length ?? 0
  const [whole, rest] = value.toFixed(places).split('.')
  const grouped = whole!.replace(/\B(?=(\d{3})+$)/g, ',')
  return rest ? `${grouped}.${rest}` : grouped
}
