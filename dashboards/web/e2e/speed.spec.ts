// How long the script of one frame of animation takes with 20,000 frames, by the browser's own clock.
// Reported, not asserted: a shared machine proves nothing about milliseconds.

import { manyFrames } from '../src/dev/manyframes.ts'
import { expect, flame, test } from './fixtures.ts'

const FRAMES = 20_000

test(`zooming and panning ${FRAMES.toLocaleString('en')} frames`, async ({ page, api }) => {
  await page.addInitScript(() => {
    const original = window.requestAnimationFrame.bind(window)
    window.requestAnimationFrame = (callback) =>
      original((time) => {
        performance.mark('frame')
        callback(time)
        performance.measure('script', 'frame')
      })
  })
  await page.route('**/api/v1/flamegraph*', (route) => route.fulfill({ json: manyFrames(FRAMES) }))
  // The chart below redraws once per answer, in a frame of its own: not what is measured here.
  await page.route('**/api/v1/timeseries*', () => {})
  await page.goto(`/flamegraph?${api.range}&show=graph`)
  await expect(flame(page)).toBeVisible()
  const box = (await flame(page).boundingBox())!
  await page.mouse.move(box.x + box.width * 0.3, box.y + 60)
  await page.evaluate(() => performance.clearMeasures())

  // Time of the processor, not of the wall: other programs on the machine do not count.
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' })
  const scriptMs = async () => {
    const { metrics } = await cdp.send('Performance.getMetrics')
    return metrics.find((m) => m.name === 'ScriptDuration')!.value * 1000
  }
  let before = await scriptMs()

  const report: Record<string, string> = {}
  const record = async (what: string) => {
    const times = await page.evaluate(() => {
      const all = performance.getEntriesByName('script').map((entry) => entry.duration)
      performance.clearMeasures()
      return all
    })
    const script = await scriptMs()
    const each = ((script - before) / times.length).toFixed(2)
    before = script
    times.sort((a, b) => a - b)
    expect(times.length, `${what} was drawn`).toBeGreaterThan(3)
    const at = (share: number) =>
      times[Math.min(times.length - 1, Math.floor(times.length * share))]!.toFixed(2)
    report[what] =
      `${times.length} frames, ${each} ms of processor time each, with handlers; on the wall median ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(1)} ms`
  }

  await page.keyboard.down('Control')
  for (let i = 0; i < 40; i++) await page.mouse.wheel(0, i < 20 ? -40 : 40)
  await page.keyboard.up('Control')
  await record('zooming by wheel')

  await page.keyboard.down('Control')
  for (let i = 0; i < 8; i++) await page.mouse.wheel(0, -40)
  await page.keyboard.up('Control')
  await record('zooming in')
  await page.mouse.down()
  for (let i = 0; i < 40; i++) await page.mouse.move(box.x + box.width * (0.3 + 0.01 * i), box.y + 60)
  await page.mouse.up()
  await record('panning')

  await flame(page).click({ position: { x: 80, y: 40 } })
  await expect(page).toHaveURL(/zoom=/)
  await flame(page).press('Escape')
  await expect(page).not.toHaveURL(/zoom=/)
  await page.evaluate(() => new Promise((done) => setTimeout(done, 400)))
  await record('animated zoom')

  await page.keyboard.press('/')
  await page.keyboard.type('tool_12', { delay: 30 })
  await record('searching')

  for (const [what, figures] of Object.entries(report)) console.log(`${what}: ${figures}`)
  test
    .info()
    .annotations.push(...Object.entries(report).map(([type, description]) => ({ type, description })))
})
