// The one "now" of a page: every request of a view ends at the same instant, so that its figures agree.

import { baseline, resolve, type Range } from './range.ts'
import { router } from './router.svelte.ts'
import { browserZone } from './time.ts'

// Calendar arithmetic is slow: it is done once per range, not once per change of the view.
const { tz: chosenZone, range, compare } = $derived(router.view)

class Clock {
  now = $state(Date.now())
  /** Counts explicit refreshes; a request repeats when it changes. */
  refreshes = $state(0)
  tz = $derived(chosenZone ?? browserZone())
  /** The selected range as instants. */
  span = $derived(resolve(range, this.now, this.tz))
  /** What it is compared with; null for nothing. */
  base = $derived(baseline(range, this.now, this.tz, compare))

  refresh() {
    this.now = Date.now()
    this.refreshes++
  }

  /** Chooses a range; one that ends now ends at the present now. */
  choose(range: Range) {
    this.now = Date.now()
    router.go({ range })
  }
}

export const clock = new Clock()
