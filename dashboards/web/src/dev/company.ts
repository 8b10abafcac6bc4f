// What the invented company runs: the shapes of its traces.

import type { FrameKind } from '../api/types.ts'

/** Tokens of a call, around these values. */
export interface Use {
  model: string
  input: number
  cached?: number
  written?: number
  output?: number
  reasoning?: number
  ms: number
}

export interface Shape {
  kind: FrameKind
  label: string
  /** A service of its own, else the parent's. */
  service?: string
  /** Probability of appearing at all. */
  p?: number
  /** How often in a row, at least and at most. */
  times?: [number, number]
  /** A model call. */
  use?: Use
  /** Carries usage that repeats the calls below: rule a (sum of all) or c (wraps one). */
  repeats?: 'a' | 'c'
  below?: Shape[]
}

export interface Traffic {
  root: Shape
  /** Traces a day on a working day; the share of it at weekends. */
  perDay: number
  weekend: number
  /** Hour of the day when it runs, for batches; else spread over the working day. */
  at?: number
  feature: string | null
  environment: string
  /** People behind it; 0 = none. */
  users: number
  emitter: string
}

const step = (label: string, below: Shape[] = [], more: Partial<Shape> = {}): Shape => ({
  kind: 'step',
  label,
  below,
  ...more,
})
const agent = (label: string, below: Shape[], more: Partial<Shape> = {}): Shape => ({
  kind: 'agent',
  label,
  below,
  ...more,
})
const tool = (label: string, below: Shape[] = [], more: Partial<Shape> = {}): Shape => ({
  kind: 'tool',
  label,
  below,
  ...more,
})
const graph = (label: string, below: Shape[]): Shape => ({ kind: 'workflow', label, below })
const call = (model: string, input: number, output: number, ms: number, more: Partial<Use> = {}): Shape => ({
  kind: 'model',
  label: model,
  use: { model, input, output, ms, ...more },
})

const embedQuery = step('embed_query', [call('text-embedding-3-small', 410, 0, 120)])
const rerank = step('rerank', [call('gemini-2.5-flash', 5200, 210, 780)])
const rewriteQuery = step('rewrite_query', [call('gpt-5-mini', 900, 90, 700, { reasoning: 120 })])

const webSearch = tool('web_search', [
  step('read_page', [call('gemini-2.5-flash', 11_000, 420, 1400)], { times: [1, 4] }),
  step('extract_claims', [call('gpt-5-mini', 3800, 520, 1100, { reasoning: 300 })], { p: 0.7 }),
])

const researcher = agent('researcher', [
  call('gpt-5', 5400, 610, 3800, { reasoning: 900, cached: 2100 }),
  { ...webSearch, times: [1, 3] },
  step('verify_claims', [call('claude-haiku-4-5', 4100, 380, 1300)], { p: 0.6 }),
])

/** `context` is what the planner reads after a search; the release in the last week made it three times as large. */
function searchDocs(context: number): Shape {
  return tool(
    'search_docs',
    [
      rewriteQuery,
      embedQuery,
      rerank,
      step(
        'RunnableSequence',
        [call('claude-sonnet-4-5', context, 780, 2900, { cached: 6200, written: 1900 })],
        {
          repeats: 'c',
        },
      ),
    ],
    { times: [1, 2] },
  )
}

const supportChat = (context: number): Shape => ({
  kind: 'request',
  label: 'POST /chat',
  service: 'support-api',
  below: [
    graph('support_graph', [
      agent('triage', [call('gpt-5-mini', 1400, 60, 820)]),
      agent(
        'planner',
        [
          call('claude-sonnet-4-5', 3200, 420, 2100, { cached: 5200 }),
          searchDocs(context),
          tool('lookup_order', [step('sql_lookup', [call('gpt-5-nano', 1600, 120, 600)])], { p: 0.5 }),
          tool('read_attachment', [step('ocr', [call('gemini-2.5-flash', 7400, 900, 2100)])], { p: 0.12 }),
          tool('delegate_research', [researcher], { p: 0.22 }),
          call('claude-sonnet-4-5', 6400, 560, 1900, { cached: 9000 }),
        ],
        { repeats: 'a' },
      ),
      agent('writer', [
        call('claude-sonnet-4-5', 4100, 610, 2100, { cached: 3600 }),
        step('tone_check', [call('claude-haiku-4-5', 1500, 60, 640)], { p: 0.8 }),
      ]),
      agent('guardrail', [
        step('policy_judge', [call('claude-haiku-4-5', 1900, 40, 520)]),
        call('gpt-5-nano', 900, 30, 330),
      ]),
    ]),
  ],
})

const ticketReply: Shape = {
  kind: 'request',
  label: 'POST /tickets/{id}/reply',
  service: 'ticket-worker',
  below: [
    graph('reply_graph', [
      agent('drafter', [
        call('gpt-5', 4300, 720, 4200, { reasoning: 640, cached: 1500 }),
        rerank,
        embedQuery,
      ]),
      step('summarize_hits', [call('gpt-5-mini', 2600, 240, 900)], { p: 0.8 }),
      agent('guardrail', [step('policy_judge', [call('claude-haiku-4-5', 1700, 40, 500)])]),
    ]),
  ],
}

const digest: Shape = {
  kind: 'request',
  label: 'nightly_digest',
  service: 'digest-worker',
  below: [
    graph('digest_flow', [
      step('summarise_threads', [call('gemini-2.5-pro', 16_000, 900, 5200, { reasoning: 700 })], {
        times: [4, 10],
      }),
      step('merge_summaries', [call('gemini-2.5-flash', 9000, 1200, 2600)]),
    ]),
  ],
}

const siteSearch: Shape = {
  kind: 'request',
  label: 'GET /search',
  service: 'search-api',
  below: [
    embedQuery,
    rerank,
    step('answer', [{ ...call('gemini-2.5-flash', 3900, 260, 900), service: 'answer-api' }], { p: 0.6 }),
  ],
}

const onboarding: Shape = {
  kind: 'request',
  label: 'POST /onboarding/agent',
  service: 'growth-api',
  below: [
    agent('onboarding', [
      call('gpt-5', 2600, 420, 3100, { reasoning: 510 }),
      tool('draft_email', [call('claude-sonnet-4-5', 2400, 700, 2400)], { p: 0.6 }),
      tool('crm_update', [], { p: 0.8 }),
    ]),
  ],
}

const evaluation: Shape = {
  kind: 'request',
  label: 'pytest evals',
  service: 'ci',
  below: [
    step('eval_case', [call('claude-sonnet-4-5', 2900, 500, 2200), call('gpt-5-mini', 1800, 80, 700)], {
      times: [3, 8],
    }),
  ],
}

const indexing: Shape = {
  kind: 'request',
  label: 'index_documents',
  service: 'indexer',
  below: [
    step('chunk', []),
    step('embed_batch', [call('text-embedding-3-small', 52_000, 0, 900)], { times: [4, 12] }),
    step('caption_images', [call('mistral-small-latest', 2200, 160, 800)], { p: 0.7, times: [1, 3] }),
  ],
}

const playground: Shape = {
  kind: 'request',
  label: 'POST /playground',
  service: 'playground',
  below: [call('nimbus-70b-instruct', 1200, 340, 1800)],
}

/** All traffic; `late` is the last week, after the release. */
export function traffic(late: boolean): Traffic[] {
  const langchain = 'opentelemetry.instrumentation.langchain@0.48.0'
  return [
    {
      root: supportChat(late ? 12_500 : 4200),
      perDay: 95,
      weekend: 0.4,
      feature: 'support chat',
      environment: 'production',
      users: 60,
      emitter: langchain,
    },
    {
      root: ticketReply,
      perDay: 60,
      weekend: 0.35,
      feature: 'ticket replies',
      environment: 'production',
      users: 25,
      emitter: 'opentelemetry.instrumentation.openai@0.48.0',
    },
    {
      root: siteSearch,
      perDay: 110,
      weekend: 0.6,
      feature: 'site search',
      environment: 'production',
      users: 90,
      emitter: 'ai@5.0.60',
    },
    {
      root: onboarding,
      perDay: 14,
      weekend: 0.3,
      feature: 'onboarding',
      environment: 'production',
      users: 30,
      emitter: 'pydantic-ai@1.12.0',
    },
    {
      root: digest,
      perDay: 6,
      weekend: 1,
      at: 2,
      feature: 'daily digest',
      environment: 'production',
      users: 0,
      emitter: 'openinference.instrumentation.google_genai@0.1.5',
    },
    {
      root: indexing,
      perDay: 5,
      weekend: 0.6,
      at: 4,
      feature: null,
      environment: 'production',
      users: 0,
      emitter: 'opentelemetry.instrumentation.openai@0.48.0',
    },
    {
      root: evaluation,
      perDay: 9,
      weekend: 0.1,
      feature: null,
      environment: 'ci',
      users: 0,
      emitter: 'logfire@4.2.0',
    },
    {
      root: playground,
      perDay: 4,
      weekend: 0.2,
      feature: 'playground',
      environment: 'staging',
      users: 8,
      emitter: 'litellm@1.80.0',
    },
  ]
}
