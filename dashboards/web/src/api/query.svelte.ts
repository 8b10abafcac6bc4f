// A request that follows the view: repeats when its address changes, and shows the old answer, marked as stale, until
// the new one is there.

import { untrack } from 'svelte'

import { clock } from '../clock.svelte.ts'
import { later } from '../frames.ts'
import { router } from '../router.svelte.ts'
import { ApiError, getJson } from './client.ts'
import { connection } from './connection.svelte.ts'

const FIRST_RETRY = 2000
const LAST_RETRY = 15_000

/** Answers of the present "now", so that going back is instant. */
const cache = new Map<string, unknown>()
const CACHED = 60
let cachedRefresh = 0

function remember(path: string, data: unknown) {
  cache.delete(path)
  cache.set(path, data)
  if (cache.size > CACHED) cache.delete(cache.keys().next().value!)
}

export class Query<T> {
  data = $state.raw<T | undefined>()
  error = $state.raw<ApiError | null>(null)
  loading = $state(false)
  /** True while `data` answers an earlier question: another range, other filters. */
  stale = $state(false)
  private question: string | null = null
  private path: string | null = null
  private abort: AbortController | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private waiting: (() => void) | undefined
  private delay = FIRST_RETRY

  /** True until there is an answer or an error. */
  get pending(): boolean {
    return this.data === undefined && this.error === null
  }

  /** `calm`: asks in a moment in which nothing moves. */
  load(path: string | null, question: string | null, keep: boolean, calm: boolean) {
    this.stop()
    if (question !== this.question) {
      if (!keep) this.data = undefined
      this.stale = this.data !== undefined
    }
    this.question = question
    this.path = path
    this.error = null
    this.delay = FIRST_RETRY
    if (path === null) {
      this.data = undefined
      return
    }
    if (cache.has(path)) {
      this.settle(cache.get(path) as T)
      return
    }
    if (!calm) return void this.fetch(path)
    this.loading = true
    this.waiting = later(() => {
      void this.fetch(path)
      return 'done'
    })
  }

  retry() {
    this.stop()
    if (this.path !== null) void this.fetch(this.path)
  }

  /** Asks again without a change of the question; what is shown stays until the answer is there. */
  again() {
    if (this.path !== null && !this.loading) this.retry()
  }

  stop() {
    this.abort?.abort()
    this.abort = null
    clearTimeout(this.timer)
    this.waiting?.()
    this.loading = false
  }

  private async fetch(path: string) {
    const abort = new AbortController()
    this.abort = abort
    this.loading = true
    try {
      const data = await getJson<T>(path, abort.signal)
      if (abort.signal.aborted) return
      remember(path, data)
      this.settle(data)
      connection.answered()
    } catch (error) {
      if (abort.signal.aborted) return
      this.fail(error instanceof ApiError ? error : new ApiError(-1, 'client', String(error)))
    }
    this.loading = false
  }

  private settle(data: T) {
    this.data = data
    this.error = null
    this.stale = false
  }

  private fail(error: ApiError) {
    this.error = error
    // Figures of another range under this one's name would be wrong.
    if (this.stale) this.data = undefined
    this.stale = false
    if (!error.retryable) return
    connection.failed(error)
    this.timer = setTimeout(() => this.retry(), this.delay)
    this.delay = Math.min(this.delay * 2, LAST_RETRY)
  }
}

/** The request without its instants: "the last seven days" stays the same question while time passes. */
function questionOf(path: string): string {
  if (!path.includes('from=')) return path
  const { range, compare } = router.view
  return `${path.replace(/\bfrom=[^&]*&to=[^&]*/, '')} ${JSON.stringify(range)} ${compare}`
}

/**
 * Loads what `path` names (null = nothing) while the component lives. With `keep` the old answer stays
 * visible until the new one is there; without it a new question starts empty. `calm` is for what follows a movement of
 * the view: asking takes milliseconds, which are shared out over frames of animation.
 */
export function query<T>(path: () => string | null, { keep = true, calm = false } = {}): Query<T> {
  const request = new Query<T>()
  // Worked out apart: a change of the view that does not change these must not ask again.
  const wanted = $derived(path())
  const question = $derived(wanted && questionOf(wanted))
  $effect(() => {
    void [wanted, question]
    const refreshes = clock.refreshes
    untrack(() => {
      if (refreshes !== cachedRefresh) cache.clear()
      cachedRefresh = refreshes
      request.load(wanted, question, keep, calm)
    })
    return () => request.stop()
  })
  return request
}
