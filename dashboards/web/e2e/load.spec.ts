// What a first visit loads, compressed as it is sent, and how long the answers of each page took. Sizes are held; times
// are reported, since a shared machine proves nothing about milliseconds.

import { expect, SERVER, test } from './fixtures.ts'

const MOST_BYTES = 300_000
const PAGES = [
  '/',
  '/flamegraph',
  '/traces',
  '/calls',
  '/attribution',
  '/prompts',
  '/models',
  '/live',
  '/health',
]

test('a first visit of any page loads little', SERVER, async ({ browser, baseURL, api }) => {
  for (const path of PAGES) {
    const page = await browser.newPage({ baseURL })
    const files: Promise<number>[] = []
    const answers: Promise<[string, number]>[] = []
    page.on('requestfinished', (request) => {
      const { pathname } = new URL(request.url())
      if (!pathname.startsWith('/api/')) files.push(request.sizes().then((s) => s.responseBodySize))
      else answers.push(Promise.resolve([pathname, request.timing().responseEnd]))
    })
    await page.goto(`${path}?${api.range}`)
    await expect(page.getByRole('main').getByRole('heading', { level: 1 })).toBeVisible()
    if (path !== '/live') await page.waitForLoadState('networkidle')
    const bytes = (await Promise.all(files)).reduce((a, b) => a + b, 0)
    expect(bytes, path).toBeGreaterThan(50_000)
    expect(bytes, path).toBeLessThan(MOST_BYTES)
    const slowest = (await Promise.all(answers)).toSorted((a, b) => b[1] - a[1])[0]
    console.log(`${path}: ${Math.round(bytes / 1000)} KB; ${slowest?.[0]} took ${slowest?.[1].toFixed(0)} ms`)
    await page.close()
  }
})
