import { describe, expect, it } from 'vitest'

import { apiQuery, format, parse, shared, type View } from './url.ts'

const round = (view: View) => {
  const url = new URL(format(view), 'http://x')
  return parse(url.pathname, url.search)
}

describe('url', () => {
  it('is empty for the defaults', () => {
    expect(format(parse('/', ''))).toBe('/')
    expect(format(parse('/flamegraph', ''))).toBe('/flamegraph')
  })

  it('survives writing and reading', () => {
    const view: View = {
      ...parse('/flamegraph', ''),
      range: { from: Date.UTC(2026, 10, 1), to: Date.UTC(2026, 10, 22, 13, 5) + 7 },
      tz: 'Europe/Berlin',
      filters: [
        { key: 'model', not: false, value: 'gpt-5&x=1#' },
        { key: 'user', not: true, value: 'löad-tést 🚀' },
        { key: 'tag.team', not: false, value: '' },
        { key: 'model', not: false, value: 'claude' },
      ],
      compare: 'weekdays',
      dimension: 'tag.team',
      metric: 'tokens',
      zoom: '0f'.repeat(16),
      search: '"<b>"',
      show: 'graph',
      diff: true,
      perTrace: true,
      colour: 'service',
      upward: true,
      sort: 'self',
      order: 'asc',
    }
    expect(round(view)).toEqual(view)
  })

  it('writes filters as the API takes them', () => {
    const view = parse('/', '?model=gpt-5&user!=load-test&user!=load-test')
    expect(view.filters).toEqual([
      { key: 'model', not: false, value: 'gpt-5' },
      { key: 'user', not: true, value: 'load-test' },
    ])
    expect(format(view)).toBe('/?model=gpt-5&user!=load-test')
  })

  it('falls back to defaults on nonsense', () => {
    const view = parse('/traces/', '?range=ever&tz=Mars/Base&metric=joy&from=5&to=4&nokey=1&by=trace')
    expect(view).toEqual(parse('/traces', ''))
    expect(parse('/nowhere', '').page).toBe('lost')
    expect(parse('/traces/xyz', '').page).toBe('lost')
  })

  it('names a trace', () => {
    const id = 'a1'.repeat(16)
    const view = { ...parse(`/traces/${id}`, '?span=00f067aa0ba902b7'), range: '7d' as const }
    expect(view.traceId).toBe(id)
    expect(round(view)).toEqual(view)
  })

  it('keeps range, zone, filters and comparison between pages', () => {
    const view = parse('/flamegraph', '?range=7d&model=a&zoom=ab&q=x&compare=none&tz=UTC')
    expect(format({ ...shared(view), page: 'traces' })).toBe('/traces?range=7d&model=a&tz=UTC&compare=none')
  })

  it('comes back from the login to a page of this place alone', () => {
    const to = (address: string) => parse('/login', `?${new URLSearchParams({ to: address })}`).to
    expect(to('/models?range=7d')).toBe('/models?range=7d')
    for (const away of [
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      '/\t/evil.example',
      'evil',
      '',
    ])
      expect(to(away), away).toBe('/')
  })

  it('asks the API for half-open instants', () => {
    const query = apiQuery({ from: 0, to: 1500 }, 'UTC', [{ key: 'user', not: true, value: 'a b' }])
    expect(query.get('from')).toBe('1970-01-01T00:00:00Z')
    expect(query.get('to')).toBe('1970-01-01T00:00:01.500Z')
    expect(query.getAll('user!')).toEqual(['a b'])
  })
})
