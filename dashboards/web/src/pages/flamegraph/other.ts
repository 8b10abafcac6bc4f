// The other side of a difference: another range with the same filters, or the same range with other filters.

import type { Span } from '../../range.ts'
import { baselineLabel } from '../../range.ts'
import { rangeText } from '../../time.ts'
import { visible } from '../../text.ts'
import { replaced, type Filter, type View } from '../../url.ts'

export interface Other {
  span: Span
  /** What names it in a question about both sides. */
  question: { base_from: string; base_to: string }
  /** What replaces filters of the same keys. */
  baseFilters: Filter[]
  /** The filters of a question, as they are on the other side. */
  filtersOf: (filters: Filter[]) => Filter[]
  /** How the two sides are called. */
  name: string
  nowName: string
}

const filterText = (f: Filter) =>
  `${visible(f.key, 20)} ${f.not ? '≠' : '='} ${visible(f.value, 30) || '(none)'}`

const questionOf = ({ from, to }: Span) => ({
  base_from: new Date(from).toISOString(),
  base_to: new Date(to).toISOString(),
})

/** Null while there is nothing to compare with. `base` is the range that the view compares with. */
export function otherSide(view: View, span: Span, base: Span | null, tz: string): Other | null {
  const { baseFilters } = view
  if (baseFilters.length) {
    const keys = new Set(baseFilters.map((f) => f.key))
    const mine = view.filters.filter((f) => keys.has(f.key))
    return {
      span,
      question: questionOf(span),
      baseFilters,
      filtersOf: (filters) => replaced(filters, baseFilters),
      name: baseFilters.map(filterText).join(', '),
      nowName: mine.map(filterText).join(', ') || `any ${[...keys].map((k) => visible(k, 20)).join(', ')}`,
    }
  }
  if (!base) return null
  return {
    span: base,
    question: questionOf(base),
    baseFilters: [],
    filtersOf: (filters) => filters,
    name: baselineLabel(base, tz),
    nowName: rangeText(span.from, span.to, tz, false),
  }
}
