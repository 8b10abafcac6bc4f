import type { Breakdown, Summary } from '../src/api/types.ts'
import { coverage, integer, money } from '../src/format.ts'
import { valueName } from '../src/names.ts'
import { expect, plain, test } from './fixtures.ts'

test('shows the figures of the API', async ({ page, api }) => {
  const summary = await api.get<Summary>(`/summary?${api.range}`)
  await page.goto(`/?${api.range}`)
  await expect(page.locator('[data-figure=spend]')).toHaveText(money(summary.cost_usd))
  const totals = page.getByRole('region', { name: 'Totals' })
  await expect(totals).toContainText(coverage(summary.coverage.calls))
  await expect(totals).toContainText(coverage(summary.coverage.calls))
  await expect(totals).toContainText(integer(summary.errors))
})

test('shows beside what arrived what sampled traces stand for', async ({ page, api }) => {
  const sampled = `${api.range}&service=sampled-shop`
  const { cost_usd, estimate } = await api.get<Summary>(`/summary?${sampled}`)
  expect(estimate?.calls).toBe(4)
  const text = `≈ ${money(estimate!.cost_usd!)} estimated from sampled traces`
  await page.goto(`/?${sampled}`)
  await expect(page.locator('[data-figure=spend]')).toHaveText(money(cost_usd))
  await expect(page.locator('.page-head [data-figure=estimate]')).toContainText(text)
  await page.goto(`/flamegraph?${sampled}`)
  await expect(page.locator('.page-head [data-figure=estimate]')).toContainText(text)
  await page.goto('/traces/5a3e1ed0000000000000000000000001')
  await expect(page.locator('[data-figure=trace-cost]')).toHaveText(money(cost_usd))
  await expect(page.locator('.page-head [data-figure=estimate]')).toContainText(text)
  await expect(page.getByRole('region', { name: 'Receipt' })).toContainText('stands for 4 calls')
})

test('lists the dearest models, and a row leads to their flamegraph', async ({ page, api }) => {
  const { rows } = await api.get<Breakdown>(`/breakdown?by=model&limit=100&${api.range}`)
  await page.goto(`/?${api.range}`)
  const models = page.getByRole('region', { name: 'Models' })
  const shown = models.locator('tbody tr')
  await expect(shown.first()).toContainText(valueName('model', rows[0]!.value))
  for (const [i, row] of rows.slice(0, 6).entries()) {
    await expect(shown.nth(i)).toContainText(valueName('model', row.value))
  }
  await shown.first().click()
  await expect(page).toHaveURL(new RegExp(`/flamegraph\\?.*model=${encodeURIComponent(rows[0]!.value!)}`))
  await page.goBack()
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible()
  await expect(page.locator('[data-figure=spend]')).toBeVisible()
})

test('sorts a table by its heads', async ({ page, api }) => {
  await page.goto(`/?${api.range}`)
  const services = page.getByRole('region', { name: 'Services' })
  await services.getByRole('button', { name: 'Service', exact: true }).click()
  await expect(services.locator('th').first()).toHaveAttribute('aria-sort', 'ascending')
  const names = (await services.locator('tbody tr td:first-child').allTextContents()).map(plain)
  const own = names.filter((name) => !/^\d+ others$/.test(name))
  expect(own).toEqual([...own].sort((a, b) => a.localeCompare(b)))
})

test('filters by keyboard, negates and removes; back works', async ({ page, api }) => {
  const { rows, total } = await api.get<Breakdown>(`/breakdown?by=service&${api.range}`)
  const service = rows[0]!.value!
  await page.goto(`/?${api.range}`)
  await page.getByRole('button', { name: 'Filter', exact: true }).click()
  await page.keyboard.type('serv')
  await page.keyboard.press('Enter')
  await page.keyboard.type(service)
  const option = page.getByRole('option', { name: service }).first()
  await expect(option).toBeVisible()
  await expect(option).toHaveAttribute('aria-selected', 'true')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(new RegExp(`service=${service}`))
  await expect(page.locator('[data-figure=spend]')).toHaveText(money(rows[0]!.cost_usd))

  await page.getByRole('button', { name: 'is, press to negate' }).click()
  await expect(page).toHaveURL(new RegExp(`service!=${service}`))
  const others = await api.get<Summary>(`/summary?${api.range}&service!=${service}`)
  await expect(page.locator('[data-figure=spend]')).toHaveText(money(others.cost_usd))

  await page.goBack()
  await expect(page.locator('[data-figure=spend]')).toHaveText(money(rows[0]!.cost_usd))
  await page.getByRole('button', { name: /Remove filter service/ }).click()
  await expect(page.locator('[data-figure=spend]')).toHaveText(money(total.cost_usd))
})

test('reads the chart by keyboard, and a bar narrows the range', async ({ page, api }) => {
  await page.goto(`/?${api.range}`)
  const chart = page.getByRole('img', { name: /^Spend per/ })
  await expect(chart.locator('canvas')).toBeVisible()
  await chart.focus()
  await page.keyboard.press('ArrowRight')
  await expect(chart).toContainText('total, $')
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Enter')
  await expect(page).not.toHaveURL(new RegExp(api.range.replaceAll(':', '(:|%3A)')))
  await page.goBack()
  await expect(page.locator('[data-figure=spend]')).toBeVisible()
})

test('chooses a range, a comparison, a zone and a theme', async ({ page }) => {
  await page.goto('/')
  await page.getByRole('button', { name: /Last 30 days/ }).click()
  await page.getByRole('menuitemradio', { name: 'Last 7 days' }).click()
  await expect(page).toHaveURL(/range=7d/)

  await page.getByRole('button', { name: /Compare with/ }).click()
  await page.getByRole('menuitemradio', { name: 'nothing' }).click()
  await expect(page).toHaveURL(/compare=none/)
  await expect(page.getByRole('region', { name: 'Totals' })).toContainText('not compared')

  await page.getByRole('button', { name: 'Europe/Berlin' }).click()
  await page.getByRole('searchbox', { name: 'Search time zones' }).fill('Asia/Kolkata')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/tz=Asia%2FKolkata/)

  await page.getByRole('button', { name: 'Light theme' }).click()
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light')
  await page.reload()
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light')
})

test('refuses an impossible custom range', async ({ page }) => {
  await page.goto('/')
  await page.getByRole('button', { name: /Last 30 days/ }).click()
  await page.getByLabel('From').fill('2026-05-02T00:00')
  await page.getByLabel('To', { exact: true }).fill('2026-05-01T00:00')
  await expect(page.getByText('The end must be after the start.')).toBeVisible()
  await expect(page.getByRole('button', { name: 'Apply' })).toBeDisabled()
  await page.getByLabel('To', { exact: true }).fill('2026-05-03T00:00')
  await page.getByRole('button', { name: 'Apply' }).click()
  await expect(page).toHaveURL(/from=2026-05-01T22%3A00%3A00Z&to=2026-05-02T22%3A00%3A00Z/)
})
