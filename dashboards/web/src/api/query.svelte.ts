// A request that follows the view: repeats when its address changes, keeps the old answer until the new one is there.

import { untrack } from 'svelte'

import { clock } from '../clock.svelte.ts'
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
  private path: string | null = null
  private abort: AbortController | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private delay = FIRST_RETRY

  /** True until there is an answer or an error. */
  get pending(): boolean {
    return this.data === undefined && this.error === null
  }

  load(path: string | null, keep: boolean) {
    this.stop()
    if (path !== this.path && !keep) this.data = undefined
    this.path = path
    this.error = null
    this.delay = FIRST_RETRY
    if (path === null) {
      this.data = undefined
      return
    }
    if (cache.has(path)) {
      this.data = cache.get(path) as T
      return
    }
    void this.fetch(path)
  }

  retry() {
    this.stop()
    if (this.path !== null) void this.fetch(this.path)
  }

  stop() {
    this.abort?.abort()
    this.abort = null
    clearTimeout(this.timer)
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
      this.data = data
      this.error = null
      connection.answered()
    } catch (error) {
      if (abort.signal.aborted) return
      this.fail(error instanceof ApiError ? error : new ApiError(-1, 'client', String(error)))
    }
    this.loading = false
  }

  private fail(error: ApiError) {
    this.error = error
    if (!error.retryable) return
    connection.failed(error)
    this.timer = setTimeout(() => this.retry(), this.delay)
    this.delay = Math.min(this.delay * 2, LAST_RETRY)
  }
}

/**
 * Loads what `path` names (null = nothing) while the component lives. With `keep` the old answer stays
 * visible until the new one is there; without it a new path starts empty.
 */
export function query<T>(path: () => string | null, { keep = true } = {}): Query<T> {
  const request = new Query<T>()
  $effect(() => {
    const wanted = path()
    const refreshes = clock.refreshes
    untrack(() => {
      if (refreshes !== cachedRefresh) cache.clear()
      cachedRefresh = refreshes
      request.load(wanted, keep)
    })
    return () => request.stop()
  })
  return request
}
