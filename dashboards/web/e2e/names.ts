// Names as other people's programs may send them, put into what the API says.

import type {
  Breakdown,
  CallList,
  CallRow,
  Flamegraph,
  Live,
  Models,
  PromptList,
  Receipt,
  Tags,
  Timeseries,
  Trace,
  TraceList,
  Values,
  WhyChanged,
} from '../src/api/types.ts'
import type { Page } from '@playwright/test'

export const NAMES = [
  '<img src=x onerror="alert(1)"><script>alert(2)</script>',
  `${'long '.repeat(2000)}end`,
  'مرحبا بالعالم \u202eevil\u202c',
  '👩‍👩‍👧‍👦🚀 emoji 🏳️‍🌈',
  'control\u0000\u0007\u001b[31m\r\n\ttext',
  '{{constructor.constructor("alert(3)")()}} ${alert(4)} javascript:alert(5)',
  '"\'`; DROP TABLE calls; --',
  '',
  `accounts/${'x'.repeat(291)}`,
  'two\nlines and\ttabs',
]
const name = (i: number) => NAMES[i % NAMES.length]!
/** Different ones, however many there are. */
const value = (i: number) => `${name(i)}${i >= NAMES.length ? i : ''}`

async function edit<T>(page: Page, pattern: string | RegExp, change: (body: T) => void) {
  await page.route(pattern, async (route) => {
    const response = await route.fetch()
    if (!response.ok()) return route.fulfill({ response })
    const body = (await response.json()) as T
    change(body)
    await route.fulfill({ response, json: body })
  })
}

function nameCalls(calls: CallRow[]) {
  calls.forEach((c, i) => Object.assign(c, { model: name(i), service: name(i + 3) }))
}

/** Puts them wherever the API has names. */
export async function nameHostile(page: Page) {
  await edit<Flamegraph>(page, '**/api/v1/flamegraph*', ({ frames }) => {
    frames.forEach((f, i) => Object.assign(f, { label: name(i), service: name(i + 3) }))
  })
  await edit<Breakdown>(page, '**/api/v1/breakdown*', (body) => {
    body.rows.forEach((row, i) => {
      if (body.by !== 'path') row.value = value(i)
      row.path?.forEach((f, j) => Object.assign(f, { label: name(i + j), service: name(i + j + 2) }))
    })
  })
  await edit<Values>(page, '**/api/v1/values*', (body) => {
    body.values.forEach((v, i) => (v.value = value(i)))
  })
  await edit<Tags>(page, '**/api/v1/tags*', ({ keys }) => {
    keys.splice(0, keys.length, ...NAMES.filter((n) => n).map((n) => n.slice(0, 300)))
  })
  await edit<Timeseries>(page, '**/api/v1/timeseries*', ({ series, by }) => {
    if (by) series.forEach((s, i) => (s.value = value(i)))
  })
  await edit<WhyChanged>(page, '**/api/v1/why*', ({ models }) => {
    models.forEach((row, i) => (row.model = value(i)))
  })
  await edit<CallList>(page, '**/api/v1/calls?*', ({ calls }) => nameCalls(calls))
  await page.route('**/api/v1/live*', async (route) => {
    const { origin } = new URL(route.request().url())
    const response = await route.fetch({ url: `${origin}/api/v1/calls?limit=40` })
    const { calls } = (await response.json()) as CallList
    nameCalls(calls)
    const pending = { traces: 0, calls: 0, cost_usd_at_most: '0' }
    const live: Live = { at: new Date().toISOString(), calls, minutes: [], pending }
    const body = `retry: 600000\nevent: settled\nid: 1-0-0\ndata: ${JSON.stringify(live)}\n\n`
    await route.fulfill({ contentType: 'text/event-stream', body })
  })
  await edit<TraceList>(page, '**/api/v1/traces?*', ({ traces }) => {
    traces.forEach((t, i) => {
      t.services = NAMES
      if (t.root) Object.assign(t.root, { label: name(i), name: name(i + 1), service: name(i + 2) })
    })
  })
  await edit<Trace>(page, /\/api\/v1\/traces\/[0-9a-f]{32}$/, (trace) => {
    trace.services = NAMES
    Object.assign(trace.attribution, {
      user: name(0),
      session: name(1),
      feature: name(2),
      tags: { [name(0)]: name(3) },
    })
    trace.tree.forEach((s, i) =>
      Object.assign(s, { label: name(i), name: name(i + 1), service: name(i + 2) }),
    )
    if (trace.root) trace.root.label = name(0)
  })
  await edit<PromptList>(page, '**/api/v1/prompts*', ({ prompts }) => {
    prompts.forEach((row, i) => {
      if (row.prompt !== null) row.prompt = value(i)
      row.path?.forEach((f, j) => Object.assign(f, { label: name(i + j), service: name(i + j + 2) }))
      row.models.forEach((m, j) => (m.model = name(j)))
    })
  })
  await edit<Models>(page, '**/api/v1/models*', ({ models, unpriced }) => {
    models.forEach((row, i) => (row.model = value(i)))
    unpriced.forEach((row, i) => (row.model = name(i)))
  })
  await edit<Receipt>(page, '**/api/v1/calls/**', (r) => {
    Object.assign(r, {
      model: name(0),
      response_model: name(0),
      request_model: name(1),
      emitter: name(4),
      response_id: name(1),
    })
    r.path.forEach((f, i) => (f.label = name(i)))
    if (r.price) Object.assign(r.price, { provider: name(3), model: name(0), condition: name(5) })
  })
}
