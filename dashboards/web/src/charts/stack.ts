// The option of a stacked bar chart with one line over it.

import type { EChartsCoreOption } from 'echarts/core'

import { niceStep, tickText } from './axis.ts'

export interface Series {
  name: string
  /** A resolved colour, not a token. */
  colour: string
  values: number[]
}

export interface Stack {
  labels: string[]
  series: Series[]
  /** Drawn as a step line over the bars. */
  line: number[] | null
}

export interface Ink {
  text: string
  grid: string
  gap: string
  line: string
  font: string
}

/** Room for the axes. */
export const PLOT = { left: 48, right: 12, top: 12, bottom: 26 }

export function topOf({ series, line }: Stack): number {
  const sums = (series[0]?.values ?? []).map((_, i) => series.reduce((sum, s) => sum + (s.values[i] ?? 0), 0))
  return Math.max(0, ...sums, ...(line ?? []))
}

export function stackOption(stack: Stack, width: number, ink: Ink): EChartsCoreOption {
  const most = topOf(stack)
  const step = niceStep(most)
  const max = most > 0 ? Math.ceil((most / step) * 1.0001) * step : 1
  const slot = (width - PLOT.left - PLOT.right) / Math.max(1, stack.labels.length)
  const barWidth = Math.max(1, slot > 14 ? slot - 6 : slot > 4 ? slot - 1.5 : slot - 0.5)
  const text = { color: ink.text, fontSize: 11.5, fontFamily: ink.font }
  return {
    animation: false,
    grid: PLOT,
    xAxis: {
      type: 'category',
      data: stack.labels.map((_, i) => i),
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: {
        ...text,
        margin: 10,
        hideOverlap: true,
        interval: (i: number) => Boolean(stack.labels[i]),
        formatter: (i: string) => stack.labels[Number(i)] ?? '',
      },
    },
    yAxis: {
      type: 'value',
      min: 0,
      max,
      interval: step,
      axisLabel: { ...text, margin: 12, formatter: (value: number) => tickText(value, step) },
      splitLine: { lineStyle: { color: ink.grid, width: 1 } },
    },
    series: [
      ...stack.series.map((s) => ({
        type: 'bar',
        name: s.name,
        stack: 'all',
        data: s.values,
        barWidth,
        silent: true,
        itemStyle: { color: s.colour, borderColor: ink.gap, borderWidth: slot > 6 ? 0.5 : 0 },
      })),
      ...(stack.line
        ? [
            {
              type: 'line',
              data: stack.line,
              step: slot > 6 ? 'middle' : false,
              symbol: 'none',
              silent: true,
              z: 5,
              lineStyle: { color: ink.line, width: 1.25 },
            },
          ]
        : []),
    ],
  }
}
