import type { CallList, Receipt, Trace, TraceList } from '../src/api/types.ts'
import { money } from '../src/format.ts'
import { parseUsd, sumUsd } from '../src/money.ts'
import { sheetOf } from '../src/trace/receipt.ts'
import { dearest } from '../src/trace/tree.ts'
import { expect, test, type Api } from './fixtures.ts'

const byCost = (api: Api, limit = 50) =>
  api.get<TraceList>(`/traces?sort=cost&order=desc&limit=${limit}&${api.range}`)

test('lists traces by cost and loads more', async ({ page, api }) => {
  const list = await byCost(api, 100)
  await page.goto(`/traces?${api.range}`)
  await page.getByRole('button', { name: /Cost/ }).click()
  await expect(page).toHaveURL(/sort=cost/)
  const rows = page.locator('tbody tr.link')
  await expect(rows.first()).toContainText(list.traces[0]!.trace_id.slice(0, 8))
  if (list.traces.length > 50) {
    await expect(rows).toHaveCount(50)
    await page.getByRole('button', { name: 'Load more' }).click()
    await expect(rows).toHaveCount(list.traces.length)
    await expect(rows.nth(75 % list.traces.length)).toContainText(
      list.traces[75 % list.traces.length]!.trace_id.slice(0, 8),
    )
  }
  await page.getByRole('button', { name: /Cost/ }).click()
  await expect(page).toHaveURL(/order=asc/)
})

test('opens a trace by keyboard, whose parts add up to it', async ({ page, api }) => {
  const { traces } = await byCost(api)
  const trace = await api.get<Trace>(`/traces/${traces[0]!.trace_id}`)
  expect(sumUsd(trace.tree.map((s) => s.self_cost_usd))).toBe(parseUsd(trace.cost_usd))
  await page.goto(`/traces?sort=cost&${api.range}`)
  await page.locator('tbody tr.link').first().focus()
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(new RegExp(`/traces/${trace.trace_id}`))
  await expect(page.locator('[data-figure=trace-cost]')).toHaveText(money(trace.cost_usd))
  const tree = page.getByRole('treegrid')
  await expect(tree.getByRole('row').nth(1)).toContainText(trace.tree[0]!.label)
})

test('shows the arithmetic of a call', async ({ page, api }) => {
  const { traces } = await byCost(api)
  const trace = await api.get<Trace>(`/traces/${traces[0]!.trace_id}`)
  const receipt = await api.get<Receipt>(`/calls/${trace.trace_id}/${dearest(trace)}`)
  expect(sumUsd(receipt.lines.map((l) => l.amount_usd))).toBe(parseUsd(receipt.cost_usd!))
  await page.goto(`/traces/${trace.trace_id}`)
  const paper = page.getByRole('region', { name: 'Receipt' })
  const sheet = sheetOf(receipt)
  await expect(paper.locator('[data-figure=receipt-total]')).toHaveText(`$${sheet.total}`)
  for (const [i, row] of sheet.rows.entries()) {
    const line = paper.locator('tbody tr').nth(i)
    await expect(line).toContainText(row.quantity)
    await expect(line).toContainText(row.rate)
    await expect(line).toContainText(row.amount)
  }
  await expect(paper).toContainText(receipt.price!.model)
})

test('strikes through what was left out, and says why', async ({ page, api }) => {
  const { calls } = await api.get<CallList>(`/calls?counted=false&limit=1&${api.range}`)
  const found = await api.get<Trace>(`/traces/${calls[0]!.trace_id}`)
  expect(found.excluded.calls).toBeGreaterThan(0)
  const span = found.tree.find((s) => s.call?.why)!
  await page.goto(`/traces/${found.trace_id}?span=${span.span_id}`)
  const paper = page.getByRole('region', { name: 'Receipt' })
  await expect(paper).toContainText('Not counted')
  await expect(paper).toContainText(`(Rule ${span.call!.why!.rule}.)`)
  await expect(page.locator(`#span-${span.span_id} .tag`).first()).toBeVisible()
})

test('walks the tree by arrow keys', async ({ page, api }) => {
  const { traces } = await byCost(api)
  const { trace_id } = traces.find((t) => t.spans > 1)!
  const trace = await api.get<Trace>(`/traces/${trace_id}`)
  await page.goto(`/traces/${trace_id}?span=${trace.tree[0]!.span_id}`)
  const rows = page.getByRole('treegrid').locator('.row')
  await expect(rows.nth(1)).toBeVisible()
  const count = await rows.count()
  await expect(rows.first()).toHaveAttribute('aria-selected', 'true')
  await expect(page.getByRole('region', { name: /Span|Receipt/ })).toBeVisible()
  await rows.first().focus()
  await page.keyboard.press('ArrowDown')
  await expect(rows.nth(1)).toHaveAttribute('aria-selected', 'true')
  await expect(rows.nth(1)).toBeFocused()
  await page.keyboard.press('Home')
  await expect(rows.first()).toBeFocused()
  await page.keyboard.press('ArrowLeft')
  await expect(rows.first()).toHaveAttribute('aria-expanded', 'false')
  await expect.poll(() => rows.count()).toBeLessThan(count)
})

test('says when there is no such trace', async ({ browser, baseURL }) => {
  const page = await browser.newPage({ baseURL })
  await page.goto(`/traces/${'0'.repeat(31)}1`)
  await expect(page.getByRole('alert')).toContainText('This trace could not be loaded')
  await page.close()
})
