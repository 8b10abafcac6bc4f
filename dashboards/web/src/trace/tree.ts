// The rows of a trace: which are visible, how deep, and what is closed at first.

import type { Trace, TraceSpan } from '../api/types.ts'
import { parseUsd } from '../money.ts'

export interface Row {
  span: TraceSpan
  depth: number
  children: number
  /** Rows below it, all levels. */
  below: number
  /** Microseconds from the start of the trace. */
  offset: number
}

/** Smaller traces are shown whole. */
const OPEN = 40

/** Every span as a row, in the order of the answer (parents first, depth first). */
export function rowsOf(trace: Trace): Row[] {
  const byId = new Map<string, Row>()
  const begin = startOf(trace)
  const rows: Row[] = []
  for (const span of trace.tree) {
    const parent = span.parent_span_id === null ? undefined : byId.get(span.parent_span_id)
    const row: Row = {
      span,
      depth: parent ? parent.depth + 1 : 0,
      children: 0,
      below: 0,
      offset: micros(span.start) - begin,
    }
    if (parent) parent.children++
    byId.set(span.span_id, row)
    rows.push(row)
  }
  for (const row of rows.toReversed()) {
    const parent = row.span.parent_span_id === null ? undefined : byId.get(row.span.parent_span_id)
    if (parent) parent.below += row.below + 1
  }
  return rows
}

/** Microseconds since 1970 of an RFC 3339 time; exact until the year 2255. */
export function micros(time: string): number {
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? ''
  const seconds = Date.parse(time.replace(/\.\d+/, ''))
  return seconds * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0'))
}

/** When the first span starts; a child may start before its root. */
function startOf(trace: Trace): number {
  return trace.tree.reduce((first, span) => Math.min(first, micros(span.start)), micros(trace.start))
}

/** When the last span ends, in microseconds from the start. */
export function lengthOf(rows: Row[]): number {
  return rows.reduce((last, row) => Math.max(last, row.offset + row.span.duration_us), 1)
}

/** In a long trace what costs less than a hundredth is closed at first, unless it failed. */
export function closedAtFirst(trace: Trace, rows: Row[]): Set<string> {
  const closed = new Set<string>()
  if (rows.length <= OPEN) return closed
  const least = parseUsd(trace.cost_usd) / 100n
  const failed = new Set<string>()
  for (const { span } of rows.toReversed()) {
    const fails = span.error || failed.has(span.span_id)
    if (fails && span.parent_span_id) failed.add(span.parent_span_id)
    if (!fails && parseUsd(span.total_cost_usd) < least) closed.add(span.span_id)
  }
  return closed
}

/** Rows that no closed row hides. */
export function visibleRows(rows: Row[], closed: Set<string>): Row[] {
  const shown: Row[] = []
  let hiddenBelow = Infinity
  for (const row of rows) {
    if (row.depth > hiddenBelow) continue
    hiddenBelow = row.children && closed.has(row.span.span_id) ? row.depth : Infinity
    shown.push(row)
  }
  return shown
}

/** The call that is looked at first: the dearest that counts. */
export function dearest(trace: Trace): string | null {
  let best: TraceSpan | null = null
  for (const span of trace.tree) {
    if (!span.call?.counted) continue
    if (!best || parseUsd(span.self_cost_usd) > parseUsd(best.self_cost_usd)) best = span
  }
  return best?.span_id ?? trace.tree[0]?.span_id ?? null
}

/** Round distances of the time axis, in microseconds: at most `most` of them over `length`. */
export function timeStep(length: number, most: number): number {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500].flatMap((n) => [n, n * 1e3])
  const long = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400]
  const all = [...steps, ...long.map((s) => s * 1e6)].sort((a, b) => a - b)
  return all.find((step) => length / step <= most) ?? Math.ceil(length / most / 86_400e6) * 86_400e6
}
