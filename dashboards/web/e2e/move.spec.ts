// The live page moves from one collector to another one of the same database and misses nothing that settled meanwhile.
// Needs two of them: COSTFLAME_PAIR names the API and the OTLP/HTTP address of each, with spaces between.

import { randomBytes } from 'node:crypto'

import { Balancer } from './balancer.ts'
import { expect, test } from './fixtures.ts'
import type { APIRequestContext, Page } from '@playwright/test'

const [api1, otlp1, api2, otlp2] = (process.env.COSTFLAME_PAIR ?? '').split(' ')
test.skip(!otlp2, 'COSTFLAME_PAIR names no two collectors')
// The browser itself reports connections that were lost.
test.use({ allowed: /Failed to load resource|net::ERR_/ })

const text = (key: string, stringValue: string) => ({ key, value: { stringValue } })
const count = (key: string, intValue: number) => ({ key, value: { intValue } })

/** One call of a service that nobody else has. */
async function send(request: APIRequestContext, otlp: string, service: string) {
  const end = Date.now() * 1_000_000
  const span = {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name: 'chat gpt-4o',
    kind: 3,
    startTimeUnixNano: String(end - 1_000_000_000),
    endTimeUnixNano: String(end),
    attributes: [
      text('gen_ai.operation.name', 'chat'),
      text('gen_ai.provider.name', 'openai'),
      text('gen_ai.request.model', 'gpt-4o'),
      count('gen_ai.usage.input_tokens', 1000),
      count('gen_ai.usage.output_tokens', 100),
    ],
  }
  const resource = { attributes: [text('service.name', service)] }
  const data = { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'app' }, spans: [span] }] }] }
  const answer = await request.post(`${otlp}/v1/traces`, { data })
  expect(answer.ok()).toBe(true)
}

const services = async (page: Page) => {
  const cells = page.getByRole('table', { name: 'Calls' }).locator('tbody tr td:nth-child(3)')
  return (await cells.allTextContents()).sort()
}

test('goes on with another collector without a gap', async ({ page, request }) => {
  const balancer = await Balancer.before(api1!)
  const state = page.locator('main [role=status]:not([aria-label])')
  const sent: string[] = []
  const both = async (when: string) => {
    for (const [i, otlp] of [otlp1!, otlp2!].entries()) {
      sent.push(`${when}-${i}`)
      await send(request, otlp, `${when}-${i}`)
    }
  }
  await page.goto(`${balancer.url}/live`)
  await expect(state).toHaveText('following')
  await both('before')
  await expect.poll(() => services(page), { timeout: 30_000 }).toEqual(sent.toSorted())

  // Nothing answers; meanwhile both collectors settle what only the other one will tell.
  balancer.move(null)
  await expect(state).toHaveText(/connection lost/)
  await both('meanwhile')
  await expect
    .poll(async () => (await (await request.get(`${api2}/api/v1/summary`)).json()).calls as number)
    .toBe(4)
  balancer.move(api2!)
  await expect(state).toHaveText('following')
  await expect.poll(() => services(page), { timeout: 30_000 }).toEqual(sent.toSorted())

  // At once, with no moment between them.
  balancer.move(api1!)
  await both('after')
  await expect.poll(() => services(page), { timeout: 30_000 }).toEqual(sent.toSorted())
  await expect(page.locator('[data-figure=live-spend]')).toHaveText('$0.021')
  balancer.close()
})
