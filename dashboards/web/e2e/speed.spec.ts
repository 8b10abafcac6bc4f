// How long the script of one frame of animation takes with very many frames, and of one letter of a search: by the
// browser's own clock, and by the processor time in its trace. Reported, not asserted: a shared machine proves nothing
// about milliseconds.

import { manyFrames } from '../src/dev/manyframes.ts'
import { expect, flame, test } from './fixtures.ts'
import { CATEGORIES, pauses, perEvent, perFrame, type TraceEvent } from './script.ts'

const PAUSE_MS = 400

for (const count of [20_000, 50_000]) {
  test(`zooming, panning and searching ${count.toLocaleString('en')} frames`, async ({
    page,
    browser,
    api,
  }) => {
    test.setTimeout(180_000)
    await page.addInitScript(() => {
      const original = window.requestAnimationFrame.bind(window)
      window.requestAnimationFrame = (callback) =>
        original((time) => {
          performance.mark('frame')
          callback(time)
          performance.measure('script', 'frame')
        })
    })
    await page.route('**/api/v1/flamegraph*', (route) => route.fulfill({ json: manyFrames(count) }))
    // Nobody knows calls of made-up paths: the panels below get as much to show as they would of real ones.
    for (const path of ['summary?', 'traces?limit=50&']) {
      const json = await api.get(`/${path}${api.range}`)
      await page.route(`**/api/v1/${path.split('?')[0]}?*`, (route) => route.fulfill({ json }))
    }
    // The chart below redraws once per answer, in a frame of its own: not what is measured here.
    await page.route('**/api/v1/timeseries*', () => {})
    await page.goto(`/flamegraph?${api.range}`)
    await expect(flame(page)).toBeVisible()
    const box = (await flame(page).boundingBox())!
    const pause = (ms: number) => page.evaluate((ms) => new Promise((done) => setTimeout(done, ms)), ms)
    const point = () => page.mouse.move(box.x + box.width * 0.3, box.y + 60)
    await point()
    await pause(1000)

    const measure = async (
      what: string,
      of: (events: TraceEvent[]) => number[],
      act: () => Promise<void>,
    ) => {
      await page.evaluate(() => performance.clearMeasures())
      await browser.startTracing(page, { categories: CATEGORIES })
      await act()
      await pause(PAUSE_MS)
      const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as {
        traceEvents: TraceEvent[]
      }
      const wall = await page.evaluate(() =>
        performance.getEntriesByName('script').map((entry) => entry.duration),
      )
      const times = of(traceEvents)
      expect(times.length, `${what} was drawn`).toBeGreaterThan(1)
      const collected = pauses(traceEvents)
      const garbage = collected.length
        ? `; garbage collected ${collected.length} times, ${spread(collected)}`
        : ''
      const figures = `${times.length} times, script ${spread(times)} of processor time; drawing alone ${spread(wall)} on the wall${garbage}`
      console.log(`${count} frames, ${what}: ${figures}`)
      test.info().annotations.push({ type: what, description: figures })
    }
    const wheel = async (steps: number[]) => {
      await page.keyboard.down('Control')
      for (const step of steps) await page.mouse.wheel(0, step)
      await page.keyboard.up('Control')
    }
    const times = (n: number, value: number) => new Array<number>(n).fill(value)

    await measure('zooming by wheel', perFrame, () => wheel([...times(30, -40), ...times(30, 40)]))
    await wheel(times(8, -40))
    await pause(PAUSE_MS)
    await measure('panning', perFrame, async () => {
      await page.mouse.down()
      for (let i = 0; i < 40; i++) await page.mouse.move(box.x + box.width * (0.3 + 0.01 * i), box.y + 60)
      await page.mouse.up()
    })
    const intoAndBack = async () => {
      for (let i = 0; i < 3; i++) {
        await flame(page).click({ position: { x: 80, y: 40 } })
        await expect(page).toHaveURL(/zoom=/)
        await pause(2 * PAUSE_MS)
        await flame(page).press('Escape')
        await expect(page).not.toHaveURL(/zoom=/)
        await pause(2 * PAUSE_MS)
      }
    }
    const byKeyAndDoubleClick = async () => {
      for (let i = 0; i < 3; i++) {
        await flame(page).press('ArrowDown')
        await flame(page).press('Enter')
        await expect(page).toHaveURL(/zoom=/)
        await pause(2 * PAUSE_MS)
        await flame(page).dblclick({ position: { x: 80, y: 70 } })
        await expect(page).not.toHaveURL(/zoom=/)
        await pause(2 * PAUSE_MS)
      }
    }
    await measure('animated zoom by click and Escape, and what follows it', perFrame, intoAndBack)
    await measure(
      'animated zoom by Enter and double click, and what follows it',
      perFrame,
      byKeyAndDoubleClick,
    )
    await measure('answering a click', perEvent('click'), intoAndBack)
    await page.keyboard.press('/')
    await measure('searching, per letter', perEvent('keydown'), () =>
      page.keyboard.type('tool_12', { delay: 100 }),
    )
    await expect(page.locator('.matched')).toBeVisible()
  })
}

function spread(times: number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(1)
  return `median ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(1)} ms`
}
