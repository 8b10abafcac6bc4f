// What every browser test has: a page whose console must stay silent, the API beside it, and a range that has data.

import { test as base, expect, type APIRequestContext, type Page } from '@playwright/test'

import type { Health } from '../src/api/types.ts'

export interface Api {
  get: <T>(path: string) => Promise<T>
  /** from and to around all data, as in the address of a page. */
  range: string
}

/** Details of a test that needs a running costflame: the mock writes no files and has no content. */
export const SERVER = { tag: '@server' }

interface Fixtures {
  api: Api
  /** Messages that a test expects on the console, because it breaks something on purpose. */
  allowed: RegExp | null
}

export const test = base.extend<Fixtures>({
  allowed: [null, { option: true }],

  api: async ({ request }, use) => {
    const get = <T>(path: string) => getJson<T>(request, path)
    const { data } = await get<Health>('/health')
    if (!data.first || !data.last) throw new Error('the tests need a database with calls in it')
    await use({ get, range: rangeOf(data.first, data.last) })
  },

  page: async ({ page, allowed }, use) => {
    const said = listen(page)
    await use(page)
    await page.unrouteAll({ behavior: 'ignoreErrors' })
    const unexpected = said.filter((text) => !allowed?.test(text))
    expect(unexpected, 'the console is silent').toEqual([])
  },
})

export { expect }

async function getJson<T>(request: APIRequestContext, path: string): Promise<T> {
  const response = await request.get(`/api/v1${path}`)
  if (!response.ok()) throw new Error(`${path}: ${response.status()} ${await response.text()}`)
  return (await response.json()) as T
}

/** Whole hours around the data: the last 28 days of it. */
function rangeOf(first: string, last: string): string {
  const HOUR = 3_600_000
  const to = Math.ceil((Date.parse(last) + 1) / HOUR) * HOUR
  const from = Math.max(Math.floor(Date.parse(first) / HOUR) * HOUR, to - 28 * 24 * HOUR)
  const text = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z')
  return `from=${text(from)}&to=${text(to)}`
}

function listen(page: Page): string[] {
  const said: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning')
      said.push(`${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => said.push(`uncaught: ${error.message}`))
  page.on('dialog', (dialog) => {
    said.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  return said
}

/** Text without the invisible digits that keep decimal points in line. */
export const plain = (text: string | null) =>
  (text ?? '').replaceAll('\u00a0', ' ').replace(/\s+/g, ' ').trim()

export const flame = (page: Page) => page.getByRole('application', { name: /Flamegraph/ })
