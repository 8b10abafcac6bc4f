import type { Flamegraph, Health, Summary } from '../src/api/types.ts'
import { money } from '../src/format.ts'
import { expect, flame, test } from './fixtures.ts'
import type { Page } from '@playwright/test'

// The browser itself reports failed requests on the console.
const FAILED = /Failed to load resource/

async function answerWith(page: Page, status: number, code: string, message: string) {
  await page.route('**/api/v1/**', (route) =>
    route.fulfill({ status, json: { error: { code, message, field: null } } }),
  )
}

/** Changes the answer of one endpoint. */
async function change<T>(page: Page, endpoint: string, edit: (body: T) => T) {
  await page.route(`**/api/v1/${endpoint}*`, async (route) => {
    const response = await route.fetch()
    await route.fulfill({ response, json: edit((await response.json()) as T) })
  })
}

test.describe('database gone while the page is open', () => {
  test.use({ allowed: FAILED })

  test('keeps what is shown, says so, and recovers by itself', async ({ page, api }) => {
    const summary = await api.get<Summary>(`/summary?${api.range}`)
    await page.goto(`/?${api.range}`)
    await expect(page.locator('[data-figure=spend]')).toHaveText(money(summary.cost_usd))
    await answerWith(page, 503, 'unavailable', 'The database does not answer.')
    await page.getByRole('button', { name: 'Refresh' }).click()
    await expect(page.getByText('The database does not answer.').first()).toBeVisible()
    await expect(page.locator('[data-figure=spend]')).toHaveText(money(summary.cost_usd))
    await page.unroute('**/api/v1/**')
    await expect(page.getByText('Figures are of')).toHaveCount(0)
  })

  test('never shows the figures of one range under the name of another', async ({ page, api }) => {
    await page.goto(`/?${api.range}`)
    await expect(page.locator('[data-figure=spend]')).toBeVisible()
    await answerWith(page, 503, 'unavailable', 'The database does not answer.')
    await page
      .getByRole('button', { name: /20\d\d/ })
      .first()
      .click()
    await page.getByRole('menuitemradio', { name: 'Last hour' }).click()
    await expect(page.getByText('The summary could not be loaded')).toBeVisible()
    await expect(page.locator('[data-figure=spend]')).toHaveCount(0)
  })

  test('says so on a page that was opened in the meantime', async ({ page, api }) => {
    await answerWith(page, 503, 'unavailable', 'The database does not answer.')
    await page.goto(`/flamegraph?${api.range}`)
    await expect(page.getByText('The flamegraph could not be loaded')).toBeVisible()
    await page.unroute('**/api/v1/**')
    await page.getByRole('button', { name: 'Try again' }).click()
    await expect(flame(page)).toBeVisible()
  })

  test('tells a server that is gone from a database that is gone', async ({ page, api }) => {
    await page.goto(`/traces?${api.range}`)
    await expect(page.locator('tbody tr.link').first()).toBeVisible()
    await page.route('**/api/v1/**', (route) => route.abort())
    await page.getByRole('button', { name: 'Refresh' }).click()
    await expect(page.getByText('costflame does not answer.').first()).toBeVisible()
    await expect(page.locator('tbody tr.link').first()).toBeVisible()
  })
})

test.describe('refused', () => {
  test.use({ allowed: FAILED })

  test('says what the API said', async ({ page, api }) => {
    await answerWith(page, 400, 'bad_request', 'There is no parameter "colour".')
    await page.goto(`/?${api.range}`)
    await expect(page.getByText('There is no parameter "colour".').first()).toBeVisible()
    await expect(page.getByText('Figures are of')).toHaveCount(0)
  })
})

test('an empty database says what fills it', async ({ page }) => {
  const zero = { cost_usd: '0', calls: 0, errors: 0, tokens: {}, unpriced: { calls: 0, tokens: 0 } }
  await change<Summary>(page, 'summary', (body) => ({ ...body, ...zero, traces: 0, amounts: {} }))
  await change<Flamegraph>(page, 'flamegraph', (body) => ({
    ...body,
    total: '0',
    calls: 0,
    traces: 0,
    frames: [],
  }))
  await change<object>(page, 'traces', () => ({ traces: [], next: null }))
  await change<Health>(page, 'health', (body) => ({ ...body, data: { first: null, last: null } }))
  for (const path of ['/', '/flamegraph', '/traces']) {
    await page.goto(path)
    const main = page.getByRole('main')
    await expect(main).toContainText('OTEL_EXPORTER_OTLP_ENDPOINT=http://')
    await expect(main).toContainText('costflame demo')
  }
})

test('an empty range leads to where the data is', async ({ page }) => {
  await page.goto('/?from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z')
  await page.getByRole('button', { name: 'Show that week' }).click()
  await expect(page.locator('[data-figure=spend]')).not.toHaveText('$0')
})

test('filters that leave nothing can be removed', async ({ page, api }) => {
  await page.goto(`/flamegraph?${api.range}&model=there-is-no-such-model`)
  await page.getByRole('button', { name: 'Remove all filters' }).click()
  await expect(flame(page)).toBeVisible()
})

test('calls without any price are not shown as free', async ({ page, api }) => {
  await change<Flamegraph>(page, 'flamegraph', (body) =>
    body.metric === 'cost'
      ? {
          ...body,
          total: '0',
          frames: body.frames.map((f) => ({ ...f, self: '0', total: '0', unpriced: f.calls })),
        }
      : body,
  )
  await page.goto(`/flamegraph?${api.range}`)
  await expect(page.getByText('none of them with a known price')).toBeVisible()
  await page.getByRole('button', { name: 'Show tokens' }).click()
  await expect(flame(page)).toBeVisible()
})

test('traces that are still settling are announced', async ({ page, api }) => {
  await change<Summary>(page, 'summary', (body) => ({
    ...body,
    pending: { traces: 3, calls: 7, cost_usd_at_most: '0.84' },
  }))
  await page.goto(`/?${api.range}`)
  await expect(page.getByRole('button', { name: '3 traces settling, at most $0.84' })).toBeVisible()
})
