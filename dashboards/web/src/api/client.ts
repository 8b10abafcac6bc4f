// Requests to /api/v1/…: JSON, or an error that says whether trying again helps. Who is not logged in is led to the login.

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

/** The page that asks; the router tells which it is. */
export const page = {
  /** The project it shows, of several. */
  project: (): string | null => null,
  /** Leads to the login, and from there back. */
  toLogin: () => {},
}

/** The path with the project of this page. */
export function inProject(path: string): string {
  const project = page.project()
  if (!project) return path
  return `${path}${path.includes('?') ? '&' : '?'}project=${encodeURIComponent(project)}`
}

export function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return request<T>(path, { signal, headers: { accept: 'application/json' } })
}

/** Changes something. The header is one that no other site's page can send. */
export function send<T = undefined>(
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json', 'x-costflame-request': '1' }
  if (body !== undefined) headers['content-type'] = 'application/json'
  return request<T>(path, { method, headers, body: JSON.stringify(body) })
}

async function request<T>(path: string, init: RequestInit): Promise<T> {
  let response: Response
  try {
    response = await fetch(`/api/v1${inProject(path)}`, init)
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new ApiError(0, 'unreachable', 'costflame does not answer.')
  }
  const text = await response.text()
  if (response.status === 204) return undefined as T
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
  const error = errorOf(response.status, text)
  if (error.status === 401 && error.code === 'unauthenticated') page.toLogin()
  throw error
}

function errorOf(status: number, text: string): ApiError {
  try {
    const { error } = JSON.parse(text) as ErrorBody
    return new ApiError(status, error.code, error.message, error.field)
  } catch {
    return new ApiError(status, `http_${status}`, `The server answered with status ${status}.`)
  }
}
