// Follows /live: what settles, the last hour by minute, what is pending. Goes on behind the last event it saw, so that
// neither a pause nor a lost connection leaves a gap.

import { getJson, inProject } from '../../api/client.ts'
import type { CallRow, Live, Pending, Session } from '../../api/types.ts'
import { filterQuery, type Filter } from '../../url.ts'

/** Calls that are kept. */
const KEPT = 500
/** After an answer that is no feed, such as 503. */
const RETRY_MS = 3000

export const keyOf = (c: CallRow) => c.trace_id + c.span_id

/** The calls with newer ones put in: newest first, each once, as it was told last. */
export function merge(calls: CallRow[], newer: CallRow[]): CallRow[] {
  const all = new Map([...calls, ...newer].map((c) => [keyOf(c), c]))
  return [...all.values()].sort((a, b) => (a.start < b.start ? 1 : a.start > b.start ? -1 : 0)).slice(0, KEPT)
}

export class Feed {
  calls = $state.raw<CallRow[] | undefined>()
  minutes = $state.raw<Live['minutes']>([])
  pending = $state.raw<Pending | null>(null)
  /** Calls that the last event brought. */
  fresh = $state.raw(new Set<string>())
  state = $state<'connecting' | 'open' | 'lost' | 'paused'>('connecting')
  private source: EventSource | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private seen = ''
  private readonly filters: Filter[]

  constructor(filters: Filter[]) {
    this.filters = filters
  }

  /** Begins, or goes on behind the last event. */
  open() {
    this.close()
    this.state = this.calls ? this.state : 'connecting'
    const query = filterQuery(this.filters)
    if (this.seen) query.set('after', this.seen)
    const source = (this.source = new EventSource(`/api/v1${inProject(`/live?${query}`)}`))
    source.onopen = () => (this.state = 'open')
    source.addEventListener('settled', (event) => this.take(event as MessageEvent<string>))
    source.onerror = () => {
      this.state = 'lost'
      // The browser connects again by itself, but not after an answer that is no feed.
      if (source.readyState !== EventSource.CLOSED) return
      this.timer = setTimeout(() => this.open(), RETRY_MS)
      // It does not say which answer. Where the session has ended, this leads to the login.
      void getJson<Session>('/session').catch(() => {})
    }
  }

  pause() {
    this.close()
    this.state = 'paused'
  }

  close() {
    clearTimeout(this.timer)
    this.source?.close()
    this.source = null
  }

  private take(event: MessageEvent<string>) {
    const live = JSON.parse(event.data) as Live
    this.seen = event.lastEventId
    this.fresh = new Set(this.calls ? live.calls.map(keyOf) : [])
    this.calls = merge(this.calls ?? [], live.calls)
    this.minutes = live.minutes
    this.pending = live.pending
    this.state = 'open'
  }
}
