// GET /api/v1/…: JSON, or an error that says whether trying again helps.

import type { ErrorBody } from './types.ts'

export class ApiError extends Error {
  /** HTTP status; 0 = no answer. */
  readonly status: number
  readonly code: string
  readonly field: string | null

  constructor(status: number, code: string, message: string, field: string | null = null) {
    super(message)
    this.status = status
    this.code = code
    this.field = field
  }

  /** The server or its database is away; the same request may succeed later. */
  get retryable(): boolean {
    return (
      this.status === 0 ||
      this.status === 429 ||
      this.status === 502 ||
      this.status === 503 ||
      this.status === 504
    )
  }
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  let response: Response
  try {
    response = await fetch(`/api/v1${path}`, { signal, headers: { accept: 'application/json' } })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new ApiError(0, 'unreachable', 'costflame does not answer.')
  }
  const text = await response.text()
  if (response.ok) {
    try {
      return JSON.parse(text) as T
    } catch {
      throw new ApiError(
        response.status,
        'not_json',
        'The answer was not JSON. Is something between this page and costflame?',
      )
    }
  }
  throw errorOf(response.status, text)
}

function errorOf(status: number, text: string): ApiError {
  try {
    const { error } = JSON.parse(text) as ErrorBody
    return new ApiError(status, error.code, error.message, error.field)
  } catch {
    return new ApiError(status, `http_${status}`, `The server answered with status ${status}.`)
  }
}
