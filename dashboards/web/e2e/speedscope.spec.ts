// speedscope itself opens what costflame exports for it.

import { createServer, type Server } from 'node:http'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { basename, extname } from 'node:path'

import type { Flamegraph } from '../src/api/types.ts'
import { expect, SERVER, test } from './fixtures.ts'

const APP = new URL('../node_modules/speedscope/dist/release/', import.meta.url)
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

/** speedscope as its own pages serve it, with one profile beside it. */
async function serve(profile: Buffer): Promise<Server> {
  const server = createServer((request, response) => {
    const name = basename(new URL(request.url ?? '/', 'http://localhost').pathname) || 'index.html'
    if (name === 'profile.json') return void response.end(profile)
    readFile(new URL(name, APP)).then(
      (body) => response.setHeader('content-type', TYPES[extname(name)] ?? '').end(body),
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  return server
}

/** Labels with what their frames cost themselves, in dollars; speedscope takes frames of one service and label for one. */
function ownCosts(graph: Flamegraph): [label: string, dollars: number][] {
  const costs = new Map<string, [string, number]>()
  for (const { service, label, self } of graph.frames) {
    const before = costs.get(`${service} ${label}`)?.[1] ?? 0
    costs.set(`${service} ${label}`, [label, before + Number(self) / 1e12])
  }
  return [...costs.values()]
}

// Its pages ask for fonts and icons that are not there.
test.use({ allowed: /./ })

test('speedscope shows the same figures', SERVER, async ({ page, api, request }) => {
  const file = await request.get(`/api/v1/flamegraph/export?format=speedscope&${api.range}`)
  const graph = await api.get<Flamegraph>(`/flamegraph?max_nodes=50000&${api.range}`)
  const server = await serve(await file.body())
  try {
    const { port } = server.address() as AddressInfo
    const home = `http://127.0.0.1:${port}`
    await page.goto(`${home}/index.html#profileURL=${encodeURIComponent(`${home}/profile.json`)}`)
    await expect(page.getByText('cost (USD)').first()).toBeVisible()
    // Its table of all frames, largest self value first: "10.969 (43%)10.969 (43%)gpt-5".
    await page.keyboard.press('3')
    const first = page.locator('tr').filter({ hasText: '%)' }).first()
    await expect(first).toBeVisible()
    const [dearest, own] = ownCosts(graph).reduce((a, b) => (b[1] > a[1] ? b : a))
    await expect(first).toContainText(dearest)
    const dollars = (await first.textContent())?.match(/\)([\d.,]+) \(/)?.[1] ?? ''
    expect(Number(dollars.replaceAll(',', ''))).toBeCloseTo(own, 2)
    // The whole of it, in the list of profiles.
    const whole = await page.locator('tr', { hasText: 'cost (USD)' }).first().textContent()
    const total = Number(graph.total) / 1e12
    expect(Number((whole ?? '').replace(/.*cost \(USD\)/, '').replaceAll(',', ''))).toBeCloseTo(total, 2)
  } finally {
    server.close()
  }
})
