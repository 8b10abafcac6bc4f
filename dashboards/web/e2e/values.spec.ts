import { readFileSync } from 'node:fs'

import type { Breakdown, CallList, Health, Summary } from '../src/api/types.ts'
import { integer, money } from '../src/format.ts'
import { parseUsd, sumUsd } from '../src/money.ts'
import { valueName } from '../src/names.ts'
import { expect, SERVER, test } from './fixtures.ts'

test('attributes all of the cost, and drills down in any order', async ({ page, api }) => {
  const { rows, total } = await api.get<Breakdown>(`/breakdown?by=service&limit=1000&${api.range}`)
  expect(sumUsd(rows.map((r) => r.cost_usd))).toBe(parseUsd(total.cost_usd))
  await page.goto(`/attribution?dimension=service&${api.range}`)
  const table = page.getByRole('table', { name: 'Service' })
  await expect(table.locator('tbody tr').first()).toContainText(valueName('service', rows[0]!.value))
  await expect(page.locator('[data-figure=values-total]')).toHaveText(money(total.cost_usd).slice(1))
  await table.getByRole('button', { name: /^Calls/ }).click()
  await expect(page).toHaveURL(/sort=calls/)
  await table.getByRole('button', { name: /^Spend/ }).click()
  await expect(page).not.toHaveURL(/sort=/)

  await table.locator('tbody tr').first().focus()
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(new RegExp(`service=${encodeURIComponent(rows[0]!.value!)}`))
  await expect(page.getByRole('table', { name: 'Feature' })).toBeVisible()
  await expect(page.locator('[data-figure=values-total]')).toHaveText(money(rows[0]!.cost_usd).slice(1))

  await page.getByRole('button', { name: /^By / }).click()
  await page.getByRole('menuitemradio', { name: 'user', exact: true }).click()
  await expect(page).toHaveURL(/dimension=user/)
  await page.goBack()
  await page.goBack()
  await expect(table).toBeVisible()
})

test('shows areas that can be pressed', async ({ page, api }) => {
  const { rows } = await api.get<Breakdown>(`/breakdown?by=model&limit=1000&${api.range}`)
  await page.goto(`/attribution?dimension=model&${api.range}`)
  const area = page
    .getByRole('group', { name: 'Spend by model' })
    .getByRole('button', { name: `${valueName('model', rows[0]!.value)}, ${money(rows[0]!.cost_usd)}` })
  await area.click()
  await expect(page).toHaveURL(new RegExp(`model=${encodeURIComponent(rows[0]!.value!)}`))
})

test('exports the table', SERVER, async ({ page, api }) => {
  const { rows } = await api.get<Breakdown>(`/breakdown?by=service&limit=1000&${api.range}`)
  await page.goto(`/attribution?dimension=service&${api.range}`)
  await expect(page.getByRole('table', { name: 'Service' })).toBeVisible()
  await page.getByRole('button', { name: 'Export' }).click()
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'CSV', exact: true }).click(),
  ])
  const lines = readFileSync(await file.path(), 'utf8')
    .trimEnd()
    .split(/\r?\n/)
  expect(lines).toHaveLength(rows.length + 1)
  expect(lines[1]).toContain(rows[0]!.cost_usd)
})

test('lists models, what they did cost, and what has no price', async ({ page, api }) => {
  const { rows } = await api.get<Breakdown>(`/breakdown?by=model&unpriced!=&${api.range}`)
  await page.goto(`/models?${api.range}`)
  await expect(page.getByRole('table', { name: 'Model', exact: true })).toBeVisible()
  await expect(
    page.getByRole('table', { name: 'Paid per million tokens' }).locator('tbody tr'),
  ).not.toHaveCount(0)
  const missing = page.getByRole('region', { name: 'Without a price' })
  if (!rows.length) await expect(missing).toContainText('Every call of this range has a price')
  else {
    const row = missing.locator('tbody tr').first()
    await expect(row).toContainText(valueName('model', rows[0]!.value))
    await expect(row).toContainText(integer(rows[0]!.unpriced.calls))
    await row.click()
    await expect(page).toHaveURL(/\/traces\?.*unpriced!=/)
    await expect(page.locator('tbody tr.link').first()).toBeVisible()
  }
})

test('leads from the overview to the calls without a price', async ({ page, api }) => {
  const { unpriced } = await api.get<Summary>(`/summary?${api.range}`)
  expect(unpriced.calls, 'some model has no price').toBeGreaterThan(0)
  await page.goto(`/?${api.range}`)
  await page.getByRole('link', { name: 'show them' }).first().click()
  await expect(page).toHaveURL(/\/traces\?.*unpriced!=/)
  await expect(page.locator('tbody tr.link').first()).toBeVisible()
})

test('prompts say how to name them where no call does', async ({ page, api }) => {
  const { rows } = await api.get<Breakdown>(`/breakdown?by=prompt&${api.range}`)
  await page.goto(`/prompts?${api.range}`)
  await expect(page.getByRole('table', { name: 'Prompts' })).toBeVisible()
  const hint = page.getByText('gen_ai.prompt.name')
  if (rows.every((r) => r.value === null)) await expect(hint).toBeVisible()
  else await expect(hint).toBeHidden()
})

test('health says what came in and what waits', async ({ page, api }) => {
  const health = await api.get<Health>('/health')
  await page.goto('/health')
  await expect(page.locator('[data-figure=status]')).toHaveText('Everything works')
  await expect(page.getByRole('region', { name: 'Received' })).toContainText(integer(health.received.spans))
  await page.route('**/api/v1/health', (route) =>
    route.fulfill({
      json: { ...health, status: 'down', database: { kind: 'sqlite', reachable: false, bytes: null } },
    }),
  )
  await expect(page.locator('[data-figure=status]')).toHaveText('The database does not answer')
})
