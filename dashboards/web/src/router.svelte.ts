// The address bar as state. Pages read `router.view` and change it with `router.go`.

import { page } from './api/client.ts'
import { format, parse, shared, type View } from './url.ts'

const here = () => parse(location.pathname, location.search)

class Router {
  view = $state.raw<View>(here())
  private common: View = shared(this.view)
  /** What links to other pages keep. The same object until one of its parts changes: nothing is worked out again for less. */
  readonly shared = $derived.by(() => {
    const next = shared(this.view)
    const keys = Object.keys(next) as (keyof View)[]
    return keys.every((key) => next[key] === this.common[key]) ? this.common : (this.common = next)
  })

  constructor() {
    addEventListener('popstate', () => {
      // Nothing of one project may stay under the name of another.
      if (here().project !== this.view.project) location.reload()
      this.view = here()
    })
    document.addEventListener('click', (event) => this.follow(event))
  }

  /** Changes parts of the view. A step the user would want to undo is a new entry for the back button. */
  go(patch: Partial<View>, { replace = false } = {}) {
    this.show({ ...this.view, ...patch }, replace)
  }

  /** The address of the view with parts changed. */
  href(patch: Partial<View>): string {
    return format({ ...this.view, ...patch })
  }

  private show(view: View, replace: boolean) {
    const address = format(view)
    const samePage = view.page === this.view.page && view.traceId === this.view.traceId
    if (address === location.pathname + location.search) return
    if (view.project !== this.view.project) return location.assign(address)
    history[replace ? 'replaceState' : 'pushState'](null, '', address)
    this.view = view
    if (!samePage) scrollTo(0, 0)
  }

  /** Links inside the product change the view without loading the page again. */
  private follow(event: MouseEvent) {
    if (
      event.defaultPrevented ||
      event.button ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return
    const link = (event.target as Element | null)?.closest?.('a')
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return
    if (link.pathname.startsWith('/api/')) return
    event.preventDefault()
    this.show(parse(link.pathname, link.search), false)
  }
}

export const router = new Router()

page.project = () => router.view.project
page.toLogin = () => {
  if (router.view.page === 'login') return
  router.go({ page: 'login', to: location.pathname + location.search }, { replace: true })
}
