import type { Flamegraph, Summary } from '../src/api/types.ts'
import { PITCH } from '../src/flame/layout.ts'
import { matchedIn, search } from '../src/flame/search.ts'
import { buildTree, ROOT, type Tree } from '../src/flame/tree.ts'
import { integer, money, percent } from '../src/format.ts'
import { parseUsd, ratio } from '../src/money.ts'
import { expect, flame, plain, test, type Api } from './fixtures.ts'
import type { Page } from '@playwright/test'

const load = (api: Api, extra = '') =>
  api.get<Flamegraph>(`/flamegraph?metric=cost&max_nodes=20000&${api.range}${extra}`)

async function open(page: Page, api: Api, extra = ''): Promise<Tree> {
  const tree = buildTree(await load(api))
  await page.goto(`/flamegraph?${api.range}${extra}`)
  await expect(flame(page).locator('canvas').first()).toBeVisible()
  return tree
}

/** Presses the middle of a node, as long as nothing is zoomed. */
async function press(page: Page, tree: Tree, node: number, clicks = 1) {
  const box = (await flame(page).boundingBox())!
  const x = ((tree.left[node]! + tree.right[node]!) / 2) * box.width
  await flame(page).click({ position: { x, y: (tree.depth[node]! + 0.5) * PITCH }, clickCount: clicks })
}

test('adds up to the summary, to the pico-dollar', async ({ api }) => {
  const [graph, summary] = [await load(api), await api.get<Summary>(`/summary?${api.range}`)]
  expect(graph.frames.reduce((sum, f) => sum + BigInt(f.self), 0n)).toBe(parseUsd(summary.cost_usd))
  expect(BigInt(graph.total)).toBe(parseUsd(summary.cost_usd))
  const tree = buildTree(graph)
  for (let node = ROOT; node < tree.size; node++) {
    let below = tree.selfs[node]!
    for (let child = tree.firstChild[node]!; child; child = tree.next[child]!) below += tree.totals[child]!
    expect(below, `node ${node}`).toBe(tree.totals[node])
  }
})

test('zooms by a click, and goes back by Esc, breadcrumb and back button', async ({ page, api }) => {
  const tree = await open(page, api)
  const node = tree.firstChild[ROOT]!
  const { id, label } = tree.frames[node]!
  const zoom = page.getByRole('navigation', { name: 'Zoom' })

  await press(page, tree, node)
  await expect(page).toHaveURL(new RegExp(`zoom=${id}`))
  await expect(zoom).toContainText(label)
  await expect(zoom).toContainText(money(tree.totals[node]!))
  await expect(page.getByText(`${money(tree.totals[node]!)} in view`)).toBeVisible()

  await flame(page).press('Escape')
  await expect(page).not.toHaveURL(/zoom=/)
  await page.goBack()
  await expect(zoom).toContainText(label)
  await zoom.getByRole('button', { name: /all traces/ }).click()
  await expect(page).not.toHaveURL(/zoom=/)

  await press(page, tree, node)
  await expect(page).toHaveURL(/zoom=/)
  await press(page, tree, ROOT, 2)
  await expect(page).not.toHaveURL(/zoom=/)
})

test('shows all figures of the frame under the pointer', async ({ page, api }) => {
  const tree = await open(page, api)
  const node = tree.firstChild[tree.firstChild[ROOT]!]!
  const frame = tree.frames[node]!
  const box = (await flame(page).boundingBox())!
  const x = ((tree.left[node]! + tree.right[node]!) / 2) * box.width
  await flame(page).hover({ position: { x, y: 2.5 * PITCH } })
  const tip = page.locator('.tip').filter({ hasText: frame.label })
  await expect(tip).toContainText(money(tree.totals[node]!))
  await expect(tip).toContainText(integer(frame.calls))
  await expect(tip).toContainText(percent(ratio(tree.totals[node]!, tree.totals[ROOT]!)))
  await page.mouse.move(5, 5)
  await expect(tip).toHaveCount(0)
})

test('searches, with the share of what matched', async ({ page, api }) => {
  const tree = await open(page, api)
  const label = tree.frames[tree.firstChild[tree.firstChild[ROOT]!]!]!.label
  await page.keyboard.press('/')
  await page.keyboard.type(label)
  const found = matchedIn(tree, search(tree, label)!, ROOT)
  const share = percent(ratio(found.total, tree.totals[ROOT]!))
  const text = `${money(found.total)} matched in ${integer(found.count)} ${found.count === 1 ? 'frame' : 'frames'}, ${share} of view`
  await expect.poll(async () => plain(await page.locator('.matched').textContent())).toBe(plain(text))
  await page.keyboard.press('Escape')
  await expect(page.locator('.matched')).toHaveCount(0)
})

test('is linked with the table both ways', async ({ page, api }) => {
  const tree = await open(page, api)
  const table = page.getByRole('table', { name: 'Frames in view' })
  const largest = table.locator('tbody tr').first()
  const label = tree.frames[tree.firstChild[ROOT]!]!.label
  await expect(largest).toContainText(label)
  await largest.click()
  await expect(page.getByRole('textbox', { name: 'Search frames' })).toHaveValue(
    new RegExp(`^"?${label.replace(/[^\w ]/g, '\\$&')}"?$`),
  )
  await expect(largest).toHaveClass(/selected/)

  await table.getByRole('button', { name: /Self/ }).click()
  await expect(table.locator('th').nth(1)).toHaveAttribute('aria-sort', 'descending')
  await expect(page).toHaveURL(/sort=self/)

  const box = (await flame(page).boundingBox())!
  await flame(page).hover({ position: { x: box.width * 0.01, y: 1.5 * PITCH } })
  await expect(table.locator('tr.hovered')).toContainText(label)
})

test('is operated by the keyboard alone', async ({ page, api }) => {
  const tree = await open(page, api)
  await flame(page).focus()
  const spoken = page.locator('[aria-live=polite]')
  await page.keyboard.press('ArrowDown')
  await expect(spoken).toContainText('all traces')
  await page.keyboard.press('ArrowDown')
  const first = tree.firstChild[ROOT]!
  await expect(spoken).toContainText(`${tree.frames[first]!.label}, ${tree.frames[first]!.kind}`)
  const sibling = tree.next[first]!
  if (sibling) {
    await page.keyboard.press('ArrowRight')
    await expect(spoken).toContainText(tree.frames[sibling]!.label)
    await page.keyboard.press('ArrowLeft')
  }
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(new RegExp(`zoom=${tree.frames[first]!.id}`))
  await page.keyboard.press('Escape')
  await expect(page).not.toHaveURL(/zoom=/)
})

test('shows tokens and calls, flips and recolours', async ({ page, api }) => {
  await open(page, api)
  const calls = await api.get<Flamegraph>(`/flamegraph?metric=calls&max_nodes=20000&${api.range}`)
  await page.getByRole('radio', { name: 'Calls' }).click()
  await expect(page.getByText(`${integer(BigInt(calls.total))} calls in view`)).toBeVisible()
  await page.getByRole('radio', { name: 'Tokens' }).click()
  await expect(page.getByText(/tokens in view/)).toBeVisible()
  await page.getByRole('button', { name: 'Root at the bottom' }).click()
  await page.getByRole('button', { name: /Colour kind/ }).click()
  await page.getByRole('menuitemradio', { name: 'service' }).click()
  await expect(page).toHaveURL(/metric=tokens.*colour=service.*root=bottom/)
  await page.getByRole('radio', { name: 'Graph' }).click()
  await expect(page.locator('tbody tr.link[tabindex="0"]')).toHaveCount(0)
})

test('a link shows a colleague the same', async ({ page, api, context }) => {
  const tree = await open(page, api)
  await press(page, tree, tree.firstChild[ROOT]!)
  await expect(page).toHaveURL(/zoom=/)
  const zoom = page.getByRole('navigation', { name: 'Zoom' })
  const seen = plain(await zoom.textContent())
  const other = await context.newPage()
  await other.goto(page.url())
  await expect
    .poll(async () => plain(await other.getByRole('navigation', { name: 'Zoom' }).textContent()))
    .toBe(seen)
})
