// Addresses of requests that depend on the view.

import { apiQuery, type Filter } from '../url.ts'
import type { Span } from '../range.ts'

type Extra = Record<string, string | number | null | undefined>

export function endpoint(name: string, span: Span, tz: string, filters: Filter[], extra: Extra = {}): string {
  const query = apiQuery(span, tz, filters)
  for (const [key, value] of Object.entries(extra)) {
    if (value !== null && value !== undefined && value !== '') query.set(key, String(value))
  }
  return `/${name}?${query}`
}
