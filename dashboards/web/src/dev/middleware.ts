// Serves the mock API under /api/v1 while developing and testing. Never part of the bundle.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Connect, Plugin } from 'vite'

import { answer, NotFound } from './api.ts'
import { buildDataset, type Dataset } from './dataset.ts'
import { live } from './prompts.ts'
import { BadRequest } from './query.ts'

/** What the real server sends too, so that a violation shows up here first. */
const POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

let data: Dataset | undefined
/** Answers by address: many pages ask the same. */
const answers = new Map<string, unknown>()

function handle(request: IncomingMessage, response: ServerResponse, next: Connect.NextFunction) {
  const url = new URL(request.url ?? '/', 'http://localhost')
  if (!url.pathname.startsWith('/api/v1/')) return next()
  const now = Date.now()
  data ??= buildDataset(now)
  const send = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }
  try {
    if (url.pathname === '/api/v1/live') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const event = live({ data, query: url.searchParams, now })
      response.write(`event: settled\nid: ${now}-0-0\ndata: ${JSON.stringify(event)}\n\n`)
      return
    }
    const known =
      answers.get(url.href) ??
      answer(url.pathname.slice('/api/v1'.length), { data, query: url.searchParams, now })
    answers.set(url.href, known)
    send(200, known)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof BadRequest)
      send(400, { error: { code: 'bad_request', message, field: error.field } })
    else if (error instanceof NotFound) send(404, { error: { code: 'not_found', message, field: null } })
    else send(500, { error: { code: 'internal', message, field: null } })
  }
}

export function mockApi(): Plugin {
  return {
    name: 'costflame-mock-api',
    configureServer(server) {
      server.middlewares.use(handle)
    },
    configurePreviewServer(server) {
      server.middlewares.use((_, response, next) => {
        response.setHeader('content-security-policy', POLICY)
        next()
      })
      server.middlewares.use(handle)
    },
  }
}
