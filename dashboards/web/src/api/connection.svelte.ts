// Whether the server and its database answer; shown on every page while they do not.

import type { ApiError } from './client.ts'

class Connection {
  /** The last failure, until a request succeeds again. */
  lost = $state.raw<ApiError | null>(null)
  /** When the server last answered. */
  lastAnswer = $state(Date.now())

  answered() {
    this.lastAnswer = Date.now()
    if (this.lost) this.lost = null
  }

  failed(error: ApiError) {
    this.lost = error
  }
}

export const connection = new Connection()
