// Views kept under a name, in this browser. A view is its address, so a link does the same for others.

export interface Saved {
  name: string
  address: string
}

const KEY = 'costflame.views'
const MOST = 100
const LONGEST_NAME = 80

function stored(): Saved[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(list) ? list.filter(isSaved).slice(0, MOST) : []
  } catch {
    return []
  }
}

/** Only addresses of this place: storage is shared with whatever else runs here. */
function isSaved(view: unknown): view is Saved {
  const { name, address } = (view ?? {}) as Partial<Saved>
  return typeof name === 'string' && typeof address === 'string' && /^\/(?!\/)/.test(address)
}

class SavedViews {
  list = $state.raw<Saved[]>(stored())
  /** False when the browser keeps nothing: then views last as long as the page. */
  kept = $state(true)

  /** Keeps an address under a name, in place of what had that name. */
  put(name: string, address: string) {
    const view = { name: name.trim().slice(0, LONGEST_NAME), address }
    const others = this.list.filter((v) => v.name !== view.name)
    this.write([...others, view].sort((a, b) => a.name.localeCompare(b.name)).slice(0, MOST))
  }

  remove(name: string) {
    this.write(this.list.filter((v) => v.name !== name))
  }

  private write(list: Saved[]) {
    this.list = list
    try {
      localStorage.setItem(KEY, JSON.stringify(list))
      this.kept = true
    } catch {
      this.kept = false
    }
  }
}

export const saved = new SavedViews()
