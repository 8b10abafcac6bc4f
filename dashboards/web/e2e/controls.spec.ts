// Controls of the flamegraph, saved views, prompts, calls and exports: what they show is what the API says.

import type {
  CallList,
  CallRow,
  Flamegraph,
  Live,
  Models,
  PromptList,
  Summary,
  Values,
  Waste,
} from '../src/api/types.ts'
import { compact, duration, integer, money } from '../src/format.ts'
import { parseUsd, sumUsd } from '../src/money.ts'
import { valueName } from '../src/names.ts'
import { keyOf, repeatsOf } from '../src/pages/prompts/figures.ts'
import { expect, flame, plain, SERVER, test, type Api } from './fixtures.ts'
import type { Page } from '@playwright/test'

const graph = (api: Api, extra: string) =>
  api.get<Flamegraph>(`/flamegraph?max_nodes=20000&${api.range}&${extra}`)

async function choose(page: Page, menu: RegExp, item: string) {
  await page.getByRole('button', { name: menu }).click()
  await page.getByRole('menuitemradio', { name: item, exact: true }).click()
}

test('measures duration, and one token class at a time', async ({ page, api }) => {
  await page.goto(`/flamegraph?${api.range}`)
  await expect(flame(page)).toBeVisible()
  const zoom = page.getByRole('navigation', { name: 'Zoom' })

  await page.getByRole('radio', { name: 'Duration' }).click()
  const all = await graph(api, 'metric=duration')
  await expect(zoom).toContainText(duration(Number(all.total)))
  const total = page.getByRole('table', { name: 'Frames in view' }).locator('tbody tr').first()
  await expect(total).toContainText(duration(Number(all.frames[0]!.total)))

  await page.getByRole('radio', { name: 'Tokens' }).click()
  await choose(page, /^Class/, 'output')
  await expect(page).toHaveURL(/class=output/)
  const output = await graph(api, 'metric=tokens&class=output')
  await expect(zoom).toContainText(compact(Number(output.total)))
  const summary = await api.get<Summary>(`/summary?${api.range}`)
  expect(Number(output.total)).toBe(summary.tokens.output)

  await page.getByRole('radio', { name: 'Cost' }).click()
  await expect(zoom).toContainText(money(summary.amounts.output ?? '0'))
})

test('colours by service and model, collapses recursion, turns upside down', async ({ page, api }) => {
  await page.goto(`/flamegraph?${api.range}`)
  await expect(flame(page)).toBeVisible()
  const { values } = await api.get<Values>(`/values?key=model&limit=1&${api.range}`)
  await choose(page, /^Colour/, 'model')
  await expect(page.getByRole('list', { name: 'Colours' })).toContainText(values[0]!.value.slice(0, 12))
  await choose(page, /^Colour/, 'service')
  await expect(page).toHaveURL(/colour=service/)

  const zoom = page.getByRole('navigation', { name: 'Zoom' })
  const whole = await zoom.textContent()
  await page.getByRole('button', { name: 'Collapse recursion' }).click()
  await expect(page).toHaveURL(/recursion=collapsed/)
  await expect(zoom).toHaveText(whole!)
  await page.getByRole('button', { name: 'Root at the bottom' }).click()
  await expect(page).toHaveURL(/root=bottom/)
  await page.goBack()
  await page.goBack()
  await expect(page).not.toHaveURL(/recursion/)
})

test('compares with other filters', async ({ page, api }) => {
  const { values } = await api.get<Values>(`/values?key=model&limit=2&${api.range}`)
  const [now, base] = values.map((v) => v.value) as [string, string]
  const filter = `model=${encodeURIComponent(now)}`
  await page.goto(`/flamegraph?${api.range}&${filter}`)
  await expect(flame(page)).toBeVisible()
  await page.getByRole('button', { name: /^Compare with/ }).click()
  const others = page.getByRole('region', { name: 'Compare with other filters' })
  await others.getByRole('combobox').fill('model')
  await others.getByRole('option', { name: 'model', exact: true }).click()
  await others.getByRole('combobox').fill(base)
  // Until the list has followed the typing, another value may stand where it is pressed.
  const offered = others.getByRole('option').first()
  await expect(offered).toContainText(base)
  await offered.click()
  await expect(page).toHaveURL(new RegExp(`base.model=${encodeURIComponent(base)}`))

  const sums = await Promise.all(
    [now, base].map((model) => api.get<Summary>(`/summary?${api.range}&model=${encodeURIComponent(model)}`)),
  )
  const [mine, other] = sums.map((s) => parseUsd(s.cost_usd)) as [bigint, bigint]
  const difference = await graph(api, `${filter}&base.model=${encodeURIComponent(base)}`)
  expect([BigInt(difference.total), BigInt(difference.base_total!)]).toEqual([mine, other])
  const sentence = page.locator('[data-figure=difference]')
  await expect(sentence).toContainText(mine >= other ? 'Up' : 'Down')
  await expect(page.getByRole('region', { name: /^Why / })).toContainText(`model = ${base}`)
})

test('every frame leads to its traces and calls', async ({ page, api }) => {
  const { frames } = await graph(api, 'metric=cost')
  const frame = frames.find((f) => f.id !== null)!
  await page.goto(`/flamegraph?${api.range}&zoom=${frame.id}`)
  const traces = page.getByRole('region', { name: 'Dearest traces' })
  await expect(traces.locator('tbody tr.link').first()).toBeVisible()
  await traces.getByRole('link', { name: 'Calls', exact: true }).click()
  await expect(page).toHaveURL(new RegExp(`/calls\\?.*path=${frame.id}`))
  const summary = await api.get<Summary>(`/summary?${api.range}&path=${frame.id}`)
  await expect(page.locator('.page-head')).toContainText(integer(summary.calls))
  await page.getByRole('table', { name: 'Calls' }).locator('tbody tr').first().click()
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}\?.*span=/)
})

test('keeps a view under a name', async ({ page, api }) => {
  await page.goto(`/flamegraph?${api.range}&metric=calls`)
  await page.getByRole('button', { name: 'Save view' }).click()
  await page.getByRole('textbox', { name: 'Name of this view' }).fill('calls by path')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.goto('/health')
  await page.getByRole('button', { name: 'Save view' }).click()
  await page.getByRole('link', { name: 'calls by path' }).click()
  await expect(page).toHaveURL(/\/flamegraph\?.*metric=calls/)
  await page.getByRole('button', { name: 'calls by path' }).click()
  await page.getByRole('button', { name: 'Forget calls by path' }).click()
  await expect(page.getByText('Nothing saved yet')).toBeVisible()
})

test('lists prompts, and shows one in detail', async ({ page, api }) => {
  const list = await api.get<PromptList>(`/prompts?limit=500&${api.range}`)
  const summary = await api.get<Summary>(`/summary?${api.range}`)
  const all = [...list.prompts, ...(list.rest ? [list.rest] : [])]
  expect(sumUsd(all.map((p) => p.cost_usd))).toBe(parseUsd(summary.cost_usd))
  await page.goto(`/prompts?${api.range}`)
  await expect(page.locator('[data-figure=prompts-total]')).toHaveText(money(summary.cost_usd))
  const table = page.getByRole('table', { name: 'Prompts' })
  const rows = table.locator('tbody tr.link')
  await expect(rows).toHaveCount(Math.min(50, list.prompts.length))
  await expect(rows.first()).toContainText(integer(list.prompts[0]!.calls))

  await table.getByRole('button', { name: 'Repeats' }).click()
  const most = Math.max(...list.prompts.map((p) => repeatsOf(p).most))
  await expect(rows.first()).toContainText(integer(most))
  await rows.nth(1).click()
  await expect(page).toHaveURL(/pick=/)
  await expect(rows.nth(1)).toHaveAttribute('aria-current', 'true')
  await expect(page.getByRole('table', { name: 'Versions' }).locator('tbody tr')).not.toHaveCount(0)
  await rows.nth(1).press('ArrowDown')
  await expect(rows.nth(2)).toBeFocused()
})

test('tells identical requests and system prompts by their fingerprints', SERVER, async ({ page, api }) => {
  const { prompts } = await api.get<PromptList>(`/prompts?limit=500&${api.range}`)
  const mine = prompts.find((p) => p.fingerprint !== null && p.identical.calls > 0)!
  expect(mine.fingerprinted).toBe(mine.calls)
  await page.goto(`/prompts?${api.range}&pick=${encodeURIComponent(keyOf(mine))}`)
  const row = page.getByRole('table', { name: 'Prompts' }).locator('tr[aria-current=true]')
  await expect(row).toContainText(mine.fingerprint!.slice(0, 6))
  await expect(row.locator('td').last()).toHaveText(integer(mine.identical.calls))
  const content = prompts.reduce((n, p) => n + p.fingerprinted, 0)
  await expect(page.locator('[data-figure=fingerprinted]')).toContainText(integer(content))
  await page.getByRole('link', { name: 'Calls', exact: true }).click()
  await expect(page).toHaveURL(new RegExp(`fingerprint=${mine.fingerprint}`))
  await expect(page.locator('.page-head')).toContainText(integer(mine.calls))
})

test('says what was paid for nothing', async ({ page, api }) => {
  const waste = await api.get<Waste>(`/waste?${api.range}`)
  await page.goto(`/?${api.range}`)
  const cost = parseUsd(waste.failed.cost_usd) + parseUsd(waste.repeated.cost_usd)
  await expect(page.locator('[data-figure=waste]')).toContainText(money(cost))
})

test('says what models cost, since when, and where reports differ', async ({ page, api }) => {
  const { models, differences } = await api.get<Models>(`/models?limit=200&${api.range}`)
  await page.goto(`/models?${api.range}`)
  const rows = page.getByRole('table', { name: 'Prices in force' }).locator('tbody tr')
  await expect(rows).toHaveCount(models.length)
  const priced = models.findIndex((m) => m.price?.since)
  if (priced >= 0) await expect(rows.nth(priced)).toContainText(models[priced]!.price!.since!)
  const reported = page.getByRole('region', { name: 'Reported against computed' })
  if (differences.length) await expect(reported).toContainText(money(differences[0]!.reported_usd))
  else await expect(reported).toContainText('No call of this range reported a cost')
})

test('lists calls, and loads more', async ({ page, api }) => {
  const { calls } = await api.get<CallList>(`/calls?limit=100&${api.range}`)
  await page.goto(`/calls?${api.range}`)
  const rows = page.getByRole('table', { name: 'Calls' }).locator('tbody tr')
  await expect(rows.first()).toContainText(valueName('model', calls[0]!.model))
  await expect(rows).toHaveCount(Math.min(50, calls.length))
  if (calls.length <= 50) return
  await page.getByRole('button', { name: 'Load more' }).click()
  await expect(rows).toHaveCount(calls.length)
})

test('every export is a file with something in it', SERVER, async ({ page, api, request }) => {
  for (const path of ['/', '/flamegraph', '/traces', '/calls', '/attribution', '/models']) {
    await page.goto(`${path}?${api.range}`)
    await page.getByRole('button', { name: 'Export' }).click()
    const links = page.getByRole('list', { name: 'Export as' }).getByRole('link')
    const hrefs = await links.evaluateAll((all) => all.map((a) => a.getAttribute('href')!))
    expect(hrefs.length).toBeGreaterThan(1)
    for (const href of hrefs) {
      const response = await request.get(href)
      expect(response.status(), href).toBe(200)
      expect(response.headers()['content-disposition'], href).toContain('attachment')
      expect((await response.body()).length, href).toBeGreaterThan(20)
    }
  }
})

test('live: follows, goes on behind the last event after a lost connection, pauses, filters', async ({
  page,
  api,
}) => {
  const call = (await api.get<CallList>(`/calls?limit=1&${api.range}`)).calls[0]!
  const at = (ago: number) => new Date(Date.now() - ago).toISOString()
  const told = (span: string, ago: number): CallRow => ({
    ...call,
    span_id: span === 'b' ? call.span_id : span.repeat(16),
    start: at(ago),
    counted: true,
    cost_usd: '0.0123',
  })
  const event = (id: string, calls: CallRow[]) => {
    const minute = new Date(Math.floor(Date.now() / 60_000) * 60_000).toISOString()
    const data: Live = {
      at: at(0),
      calls,
      minutes: [{ start: minute, calls: 1, cost_usd: '0.5' }],
      pending: { traces: 2, calls: 5, cost_usd_at_most: '1.5' },
    }
    return `retry: 200\nevent: settled\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`
  }
  const asked: string[] = []
  await page.route('**/api/v1/live*', async (route) => {
    asked.push(route.request().url())
    const body =
      asked.length === 1
        ? event('1-a', [told('a', 2000)])
        : asked.length === 2
          ? event('2-b', [told('b', 1000), told('a', 2000)])
          : ': nothing new\n\n'
    await route.fulfill({ contentType: 'text/event-stream', body })
  })
  await page.goto('/live')
  const rows = page.getByRole('table', { name: 'Calls' }).locator('tbody tr')
  await expect(rows).toHaveCount(2)
  await expect(page.locator('[data-figure=live-spend]')).toHaveText('$0.50')
  await expect(page.locator('[data-figure=live-pending]')).toContainText('2 traces settling, at most $1.5')

  await page.getByRole('button', { name: 'Pause' }).click()
  await expect(page.getByText(/^stopped at/)).toBeVisible()
  const before = asked.length
  await page.getByRole('button', { name: 'Go on' }).click()
  await expect.poll(() => asked.length).toBeGreaterThan(before)
  expect(new URL(asked[before]!).searchParams.get('after')).toBe('2-b')
  await rows.first().click()
  await expect(page).toHaveURL(new RegExp(`/traces/${call.trace_id}\\?.*span=${call.span_id}`))

  const soFar = asked.length
  await page.goto('/live?model=gpt-5')
  await expect.poll(() => asked.length).toBeGreaterThan(soFar)
  expect(new URL(asked[soFar]!).searchParams.getAll('model')).toEqual(['gpt-5'])
})

test('live shows the real feed', async ({ page }) => {
  await page.goto('/live')
  await expect(page.getByText('following')).toBeVisible()
  await expect(page.locator('main .table, main .none').first()).toBeVisible()
  expect(plain(await page.locator('[data-figure=live-spend]').textContent())).toMatch(/^\$/)
})
