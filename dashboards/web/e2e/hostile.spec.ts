// Names come from other people's programs. Whatever they contain, they are shown as text.

import { PITCH } from '../src/flame/layout.ts'
import { expect, flame, test } from './fixtures.ts'
import { nameHostile, NAMES } from './names.ts'
import type { Page } from '@playwright/test'

test.beforeEach(({ page }) => nameHostile(page))

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

test('calls, whose other columns stay in sight', async ({ page, api }) => {
  await page.goto(`/calls?${api.range}`)
  await expect(page.getByText('<img src=x').first()).toBeVisible()
  await harmless(page)
  const { x, width } = (await page.getByRole('columnheader', { name: 'Notes' }).boundingBox())!
  expect(x + width).toBeLessThanOrEqual(page.viewportSize()!.width)
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
