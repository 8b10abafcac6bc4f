// Pictures of every page in both themes at three widths, with usual names and with hostile ones, to look at:
// `PICTURES=/tmp/pictures npx playwright test pictures`. ONLY=flamegraph,live takes only these pages. Nothing is compared.

import type { TraceList } from '../src/api/types.ts'
import { PITCH } from '../src/flame/layout.ts'
import { expect, flame, test, type Api } from './fixtures.ts'
import { nameHostile, NAMES } from './names.ts'
import { askWho } from './people.ts'

const folder = process.env.PICTURES
const only = process.env.ONLY?.split(',')
test.skip(!folder, 'PICTURES names no folder for them')
// Collectors of older versions have not all of the endpoints, and a feed of hostile names ends.
test.use({ allowed: /Failed to load resource/ })

const WIDTHS = [390, 1280, 2560]
/** Longer pages are cut here: what follows are more rows of the same table. */
const LONGEST = 2400

const PAGES: Record<string, (api: Api) => string | Promise<string>> = {
  overview: () => '/?',
  flamegraph: () => '/flamegraph?',
  difference: () => '/flamegraph?diff=1&range=7d',
  sandwich: () => '/flamegraph?show=sandwich&q=a',
  traces: () => '/traces?',
  calls: () => '/calls?',
  trace: async (api) => {
    const { traces } = await api.get<TraceList>(`/traces?sort=cost&order=desc&limit=1&${api.range}`)
    return `/traces/${traces[0]!.trace_id}?`
  },
  attribution: () => '/attribution?',
  users: () => '/attribution?dimension=user',
  prompts: () => '/prompts?',
  models: () => '/models?',
  live: () => '/live?',
  health: () => '/health?',
  access: () => '/access?',
  login: () => '/login?',
  lost: () => '/nothing?',
}

const people = ['ann', 'bob.the.long.named.administrator', 'carol', 'dave', 'erin']

for (const names of ['usual', 'hostile'])
  for (const colorScheme of ['light', 'dark'] as const)
    for (const [name, address] of Object.entries(PAGES)) {
      if (only && !only.includes(name)) continue
      test.describe(`${names} ${colorScheme}`, () => {
        test.use({ colorScheme })

        test(name, async ({ page, api }) => {
          if (names === 'hostile') await nameHostile(page)
          if (name === 'access' || name === 'login')
            await askWho(page, names === 'hostile' ? NAMES.map((n) => n.slice(0, 300)) : people)
          const path = await address(api)
          await page.goto(path.includes('range=') ? path : `${path}&${api.range}`)
          for (const width of WIDTHS) {
            await page.setViewportSize({ width, height: width === 390 ? 844 : width === 1280 ? 800 : 1300 })
            // Feeds never rest, charts are drawn a frame later.
            if (name !== 'live') await page.waitForLoadState('networkidle')
            await page.waitForTimeout(700)
            const height = await page.evaluate(() => document.documentElement.scrollHeight)
            await page.screenshot({
              path: `${folder}/${name}-${names}-${colorScheme}-${width}.png`,
              fullPage: true,
              clip: { x: 0, y: 0, width, height: Math.min(height, LONGEST) },
            })
          }
        })
      })
    }

/** Pictures of the documentation; `pngquant --quality 70-95` makes them a third as large. */
test.describe('documentation', () => {
  test.use({ colorScheme: 'dark', deviceScaleFactor: 1.5 })

  test('flamegraph', async ({ page }) => {
    await page.goto('/flamegraph?range=7d')
    await expect(flame(page)).toBeVisible()
    await page.waitForLoadState('networkidle')
    await flame(page).hover({ position: { x: 260, y: 6.5 * PITCH } })
    await page.waitForTimeout(700)
    await page.screenshot({ path: `${folder}/flamegraph.png` })
  })

  test('difference', async ({ page }) => {
    await page.goto('/flamegraph?range=7d&diff=1&per=trace')
    await expect(page.getByRole('region', { name: 'Per call' }).getByText('Cached input')).toBeVisible()
    await page.waitForLoadState('networkidle')
    await page.waitForTimeout(700)
    await page.screenshot({ path: `${folder}/difference.png` })
  })

  test('overview', async ({ page }) => {
    await page.emulateMedia({ colorScheme: 'light' })
    await page.goto('/?range=7d')
    await page.waitForLoadState('networkidle')
    await page.waitForTimeout(700)
    await page.screenshot({ path: `${folder}/overview.png` })
  })
})
