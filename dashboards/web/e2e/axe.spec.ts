import type { TraceList } from '../src/api/types.ts'
import { expect, flame, test } from './fixtures.ts'
import type { Page } from '@playwright/test'
import { violations } from './violations.ts'

/** Every page in both themes; the one it was opened in comes first. */
async function isClean(page: Page) {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    await expect(page.locator('html')).toHaveAttribute('data-theme', colorScheme)
    expect(await violations(page), colorScheme).toEqual([])
  }
  await page.emulateMedia({ colorScheme: 'dark' })
}

test('overview', async ({ page, api }) => {
  await page.goto(`/?${api.range}`)
  await expect(page.getByRole('region', { name: 'Features' }).locator('tbody tr').first()).toBeVisible()
  await page.waitForLoadState('networkidle')
  await isClean(page)
  await page.getByRole('button', { name: 'Filter', exact: true }).click()
  await isClean(page)
})

test('flamegraph', async ({ page, api }) => {
  await page.goto(`/flamegraph?${api.range}&q=a`)
  await expect(flame(page)).toBeVisible()
  await page.waitForLoadState('networkidle')
  await isClean(page)
})

test('difference and sandwich', async ({ page, api }) => {
  await page.goto(`/flamegraph?${api.range}&diff=1`)
  await expect(page.locator('[data-figure=difference]')).toBeVisible()
  await page.waitForLoadState('networkidle')
  await isClean(page)
  await page.goto(`/flamegraph?${api.range}&show=sandwich&q=a`)
  await expect(page.getByRole('region', { name: 'Callees' })).toBeVisible()
  await page.waitForLoadState('networkidle')
  await isClean(page)
})

for (const path of [
  '/attribution?dimension=model',
  '/models?',
  '/prompts?',
  '/calls?',
  '/live?',
  '/health?',
]) {
  test(path, async ({ page, api }) => {
    await page.goto(`${path}&${api.range}`)
    await expect(page.getByRole('main').getByRole('heading', { level: 1 })).toBeVisible()
    await expect(page.locator('main .table, main .none').first()).toBeVisible()
    await isClean(page)
  })
}

test('traces and trace', async ({ page, api }) => {
  const { traces } = await api.get<TraceList>(`/traces?sort=cost&order=desc&limit=1&${api.range}`)
  await page.goto(`/traces?${api.range}`)
  await expect(page.locator('tbody tr.link').first()).toBeVisible()
  await page.waitForLoadState('networkidle')
  await isClean(page)
  await page.goto(`/traces/${traces[0]!.trace_id}`)
  await expect(page.locator('[data-figure=receipt-total]')).toBeVisible()
  await isClean(page)
})
