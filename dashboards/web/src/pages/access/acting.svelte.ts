// Doing something and showing what came of it.

import { ApiError } from '../../api/client.ts'

export class Acting {
  /** Why the last act failed. */
  error = $state('')

  /** Does it; false if it failed. */
  async do(act: () => Promise<unknown>): Promise<boolean> {
    this.error = ''
    try {
      await act()
      return true
    } catch (reason) {
      this.error = reason instanceof ApiError ? reason.message : String(reason)
      return false
    }
  }
}
