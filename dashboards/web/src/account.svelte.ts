// Who is logged in.

import { send } from './api/client.ts'
import type { Session } from './api/types.ts'

class Account {
  /** null until it is known. */
  me = $state.raw<Session | null>(null)
  readonly isAdmin = $derived(this.me?.role === 'admin')
  readonly mayShare = $derived(this.me !== null && this.me.role !== 'viewer')

  /** Ends the session. Everything of it is gone with the page. */
  async logOut() {
    await send('POST', '/logout')
    location.assign('/login')
  }
}

export const account = new Account()
