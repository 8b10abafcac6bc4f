// Names come from other people's programs. Whatever they contain, they are shown as text.

import type {
  Breakdown,
  Flamegraph,
  Models,
  PromptList,
  Receipt,
  Trace,
  TraceList,
  Values,
} from '../src/api/types.ts'
import { PITCH } from '../src/flame/layout.ts'
import { expect, flame, test } from './fixtures.ts'
import type { Page } from '@playwright/test'

const NAMES = [
  '<img src=x onerror="alert(1)"><script>alert(2)</script>',
  `${'long '.repeat(2000)}end`,
  'مرحبا بالعالم \u202eevil\u202c',
  '👩‍👩‍👧‍👦🚀 emoji 🏳️‍🌈',
  'control\u0000\u0007\u001b[31m\r\n\ttext',
  '{{constructor.constructor("alert(3)")()}} ${alert(4)} javascript:alert(5)',
  '"\'`; DROP TABLE calls; --',
  '',
]
const name = (i: number) => NAMES[i % NAMES.length]!

async function edit<T>(page: Page, pattern: string | RegExp, change: (body: T) => void) {
  await page.route(pattern, async (route) => {
    const response = await route.fetch()
    if (!response.ok()) return route.fulfill({ response })
    const body = (await response.json()) as T
    change(body)
    await route.fulfill({ response, json: body })
  })
}

test.beforeEach(async ({ page }) => {
  await edit<Flamegraph>(page, '**/api/v1/flamegraph*', ({ frames }) => {
    frames.forEach((f, i) => Object.assign(f, { label: name(i), service: name(i + 3) }))
  })
  await edit<Breakdown>(page, '**/api/v1/breakdown*', (body) => {
    body.rows.forEach((row, i) => {
      if (body.by !== 'path') row.value = `${name(i)}${i >= NAMES.length ? i : ''}`
      row.path?.forEach((f, j) => Object.assign(f, { label: name(i + j), service: name(i + j + 2) }))
    })
  })
  await edit<Values>(page, '**/api/v1/values*', (body) => {
    body.values.forEach((v, i) => (v.value = `${name(i)}${i >= NAMES.length ? i : ''}`))
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
      if (row.prompt !== null) row.prompt = `${name(i)}${i >= NAMES.length ? i : ''}`
      row.path?.forEach((f, j) => Object.assign(f, { label: name(i + j), service: name(i + j + 2) }))
      row.models.forEach((m, j) => (m.model = name(j)))
    })
  })
  await edit<Models>(page, '**/api/v1/models*', ({ models, unpriced }) => {
    models.forEach((row, i) => (row.model = `${name(i)}${i >= NAMES.length ? i : ''}`))
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
})

/** Nothing of the names became an element, and nothing pushes the page sideways. */
async function harmless(page: Page) {
  expect(await page.locator('main img, main script, main b > *, main iframe').count()).toBe(0)
  const wide = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  expect(wide, 'no sideways scrolling').toBeLessThanOrEqual(0)
  expect(await page.evaluate(() => document.body.innerText.includes('\u202e'))).toBe(false)
}

test('overview', async ({ page, api }) => {
  await page.goto(`/?${api.range}`)
  await expect(page.getByText('<img src=x').first()).toBeVisible()
  await harmless(page)
  const chart = page.getByRole('img', { name: /^Spend per/ })
  await chart.hover({ position: { x: 400, y: 200 } })
  await harmless(page)
})

test('flamegraph, table, tooltip, search and filter', async ({ page, api }) => {
  await page.goto(`/flamegraph?${api.range}`)
  await expect(flame(page)).toBeVisible()
  const rows = page.getByRole('table', { name: 'Frames in view' }).locator('tbody tr')
  await expect(rows.first()).toBeVisible()
  await harmless(page)
  for (let row = 0; row < 6; row++) {
    await flame(page).hover({ position: { x: 60, y: (row + 0.5) * PITCH } })
    await harmless(page)
  }
  await flame(page).click({ position: { x: 60, y: 1.5 * PITCH } })
  await expect(page).toHaveURL(/zoom=/)
  await rows.nth(1).click()
  await expect(page).toHaveURL(/q=/)
  await harmless(page)
  await page.getByRole('button', { name: 'Filter', exact: true }).click()
  await page.keyboard.type('model')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('option').first()).toContainText('<img')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/model=/)
  await harmless(page)
})

test('trace list, trace and receipt', async ({ page, api }) => {
  await page.goto(`/traces?${api.range}&sort=cost`)
  await expect(page.locator('tbody tr.link').first()).toBeVisible()
  await harmless(page)
  await page.locator('tbody tr.link').first().click()
  await expect(
    page.getByRole('region', { name: 'Receipt' }).locator('[data-figure=receipt-total]'),
  ).toBeVisible()
  await harmless(page)
  await expect(page.getByRole('treegrid')).toContainText('<img src=x onerror')
})

test('attribution, prompts, models and differences', async ({ page, api }) => {
  for (const path of ['/attribution?dimension=model', '/models?', '/prompts?']) {
    await page.goto(`${path}&${api.range}`)
    await expect(page.getByText('<img src=x').first()).toBeVisible()
    await harmless(page)
  }
  await page.goto(`/flamegraph?${api.range}&diff=1`)
  await expect(page.locator('[data-figure=difference]')).toBeVisible()
  await harmless(page)
  await page.goto(`/flamegraph?${api.range}&show=sandwich&q=img`)
  await expect(page.getByRole('region', { name: 'Callees' })).toBeVisible()
  await harmless(page)
})

test('an address full of them', async ({ page, api }) => {
  for (const value of NAMES.filter((n) => n.length < 200)) {
    await page.goto(
      `/?${api.range}&user=${encodeURIComponent(value)}&tag.${encodeURIComponent('<b>')}!=${encodeURIComponent(value)}`,
    )
    await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible()
    await harmless(page)
  }
})
