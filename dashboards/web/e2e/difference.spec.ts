import type { Flamegraph, Summary, WhyChanged } from '../src/api/types.ts'
import { brought, culprit, differenceOf, perTrace } from '../src/flame/difference.ts'
import { buildTree, ROOT } from '../src/flame/tree.ts'
import { integer, money, signedMoney } from '../src/format.ts'
import { parseUsd, sumUsd } from '../src/money.ts'
import { causeName } from '../src/pages/flamegraph/causes.ts'
import { baseline } from '../src/range.ts'
import { expect, flame, plain, test, type Api } from './fixtures.ts'

/** The last half of the data against the period before it, as the page chooses it. */
function halves(api: Api) {
  const query = new URLSearchParams(api.range)
  const [from, to] = [Date.parse(query.get('from')!), Date.parse(query.get('to')!)]
  const DAY = 86_400_000
  const days = Math.max(1, Math.floor((to - from) / DAY / 2))
  const text = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z')
  const middle = to - days * DAY
  const base = baseline({ from: middle, to }, to, 'UTC', 'previous')!
  return {
    page: `from=${text(middle)}&to=${text(to)}&tz=UTC`,
    now: `from=${text(middle)}&to=${text(to)}`,
    base: { from: text(base.from), to: text(base.to) },
  }
}

const load = (api: Api, { now, base }: ReturnType<typeof halves>) =>
  api.get<Flamegraph>(
    `/flamegraph?metric=cost&max_nodes=20000&${now}&base_from=${base.from}&base_to=${base.to}`,
  )

test('opens with what changed, and where', async ({ page, api }) => {
  const ranges = halves(api)
  const tree = buildTree(await load(api, ranges))
  const difference = differenceOf(tree)!
  const [now, base] = [
    await api.get<Summary>(`/summary?${ranges.now}`),
    await api.get<Summary>(`/summary?from=${ranges.base.from}&to=${ranges.base.to}`),
  ]
  expect(difference.net).toBe(parseUsd(now.cost_usd) - parseUsd(base.cost_usd))

  await page.goto(`/flamegraph?${ranges.page}`)
  await page.getByRole('button', { name: 'Difference' }).click()
  await expect(page).toHaveURL(/diff=1/)
  const sentence = page.locator('[data-figure=difference]')
  await expect(sentence).toContainText(difference.net > 0n ? 'Up $' : 'Down $')
  const node = culprit(tree, difference)
  if (node !== ROOT) await expect(sentence).toContainText(tree.frames[node]!.label)

  const table = page.getByRole('table', { name: 'Frames by change' })
  await expect(table.locator('tbody tr').first()).toBeVisible()
  await table.getByRole('button', { name: /Base/ }).click()
  await expect(page).toHaveURL(/sort=base/)

  await page.getByRole('radio', { name: 'Per trace' }).click()
  await expect(page).toHaveURL(/per=trace/)
  await expect(sentence).toBeVisible()
})

test('shows both sides of the frame under the pointer', async ({ page, api }) => {
  const ranges = halves(api)
  const tree = buildTree(await load(api, ranges))
  await page.goto(`/flamegraph?${ranges.page}&diff=1`)
  await expect(flame(page)).toBeVisible()
  await flame(page).hover({ position: { x: 20, y: 1.5 * 27 } })
  const node = tree.firstChild[ROOT]!
  const tip = page.locator('.tip')
  await expect(tip).toContainText(money(tree.base!.totals[node]!))
  await expect(tip).toContainText(signedMoney(tree.totals[node]! - tree.base!.totals[node]!))
})

test('splits the change of a frame into its causes', async ({ page, api }) => {
  const ranges = halves(api)
  await page.goto(`/flamegraph?${ranges.page}&diff=1`)
  const why = page.getByRole('region', { name: /^Why .* changed$/ })
  const tree = buildTree(await load(api, ranges))
  const node = culprit(tree, differenceOf(tree)!)
  const path = node === ROOT ? '' : `&path=${tree.frames[node]!.id}`
  const { steps, change_usd } = await api.get<WhyChanged>(
    `/why?${ranges.now}${path}&base_from=${ranges.base.from}&base_to=${ranges.base.to}`,
  )
  expect(sumUsd(steps.map((s) => s.amount_usd))).toBe(parseUsd(change_usd))
  const bars = why.locator('li')
  await expect(bars).toHaveCount(steps.length + 2)
  for (const [i, step] of steps.entries())
    await expect(bars.nth(i + 1)).toContainText(causeName(step.cause, parseUsd(step.amount_usd)))
  const perCall = page.getByRole('region', { name: 'Per call' })
  await expect(perCall).toContainText('Cached input')
  await page.getByRole('link', { name: 'Open its traces' }).click()
  await expect(page).toHaveURL(/\/traces\?/)
  await expect(page.locator('tbody tr.link').first()).toBeVisible()
})

test('splits a change per trace as the graph shows it', async ({ page, api }) => {
  const ranges = halves(api)
  const whole = await load(api, ranges)
  const before = await api.get<Summary>(`/summary?from=${ranges.base.from}&to=${ranges.base.to}`)
  const traces = { now: whole.traces, base: before.traces }
  const tree = buildTree(perTrace(whole, traces))
  const node = culprit(tree, differenceOf(tree)!)
  const path = node === ROOT ? '' : `&path=${tree.frames[node]!.id}`
  const why = await api.get<WhyChanged>(
    `/why?${ranges.now}${path}&base_from=${ranges.base.from}&base_to=${ranges.base.to}`,
  )
  await page.goto(`/flamegraph?${ranges.page}&diff=1&per=trace`)
  const bars = page.getByRole('region', { name: /^Why .* changed$/ }).locator('li')
  await expect(bars.first()).toContainText(money(brought(parseUsd(why.base.cost_usd), traces)))
  await expect(bars.nth(1)).toContainText(/alls a trace/)
  await expect(bars.last()).toContainText(money(why.now.cost_usd))
  await expect(page.getByRole('region', { name: 'Per call' })).toContainText('Cost a trace')
})

test('shows callers and callees of a frame', async ({ page, api }) => {
  const graph = await api.get<Flamegraph>(`/flamegraph?metric=cost&max_nodes=20000&${api.range}`)
  const tree = buildTree(graph)
  const first = tree.firstChild[ROOT]!
  await page.goto(`/flamegraph?${api.range}`)
  await flame(page).focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('s')
  await expect(page).toHaveURL(/show=sandwich/)
  const callees = page.getByRole('region', { name: 'Callees' })
  const callers = page.getByRole('region', { name: 'Callers' })
  await expect(callees.locator('canvas').first()).toBeVisible()
  expect(plain(await callers.textContent())).toContain(tree.frames[first]!.label)
  await expect(callers).toContainText(integer(tree.frames[first]!.calls))
  await callees.getByRole('application').hover({ position: { x: 20, y: 13 } })
  await expect(page.locator('.tip')).toContainText(tree.frames[first]!.label)
  await page.getByRole('radio', { name: 'Both' }).click()
  await expect(page).not.toHaveURL(/show=/)
})
