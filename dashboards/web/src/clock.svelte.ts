// The one "now" of a page: every request of a view ends at the same instant, so that its figures agree.

import { baseline, resolve, type Range } from './range.ts'
import { router } from './router.svelte.ts'
import { browserZone } from './time.ts'

class Clock {
  now = $state(Date.now())
  /** Counts explicit refreshes; a request repeats when it changes. */
  refreshes = $state(0)

  refresh() {
    this.now = Date.now()
    this.refreshes++
  }

  get tz(): string {
    return router.view.tz ?? browserZone()
  }

  /** The selected range as instants. */
  get span() {
    return resolve(router.view.range, this.now, this.tz)
  }

  /** What it is compared with; null for nothing. */
  get base() {
    return baseline(router.view.range, this.now, this.tz, router.view.compare)
  }

  /** Chooses a range; one that ends now ends at the present now. */
  choose(range: Range) {
    this.now = Date.now()
    router.go({ range })
  }
}

export const clock = new Clock()
