// The same provider, model or service has the same colour on every page.

import { getJson } from './api/client.ts'
import type { Dimension, Values } from './api/types.ts'

/** Slots in the order in which they are given away: hues far apart first, 9 (near "dearer") last. 10 is always "others". */
const ORDER = [1, 4, 2, 5, 7, 6, 8, 3, 9]
export const OTHERS = 10

/** Gives each name the next free slot. Taken slots stay taken; without a free one a name is among the others. */
export function assign(names: string[], taken: Map<string, number> = new Map()): Map<string, number> {
  const slots = new Map(taken)
  const free = ORDER.filter((slot) => ![...slots.values()].includes(slot))
  for (const name of names) {
    if (!slots.has(name)) slots.set(name, free.shift() ?? OTHERS)
  }
  return slots
}

const KEY = 'costflame.colours'
type Stored = Record<string, [string, number][]>

function stored(): Stored {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Stored
  } catch {
    return {}
  }
}

/** The slots of before for values that are still among the most used, free ones for new values. */
function renew(dimension: string, names: string[]): Map<string, number> {
  const all = stored()
  const before = Array.isArray(all[dimension]) ? all[dimension] : []
  const slots = assign(names, new Map(before.filter(([name]) => names.includes(name))))
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...all, [dimension]: [...slots] }))
  } catch {
    // Storage may be forbidden; colours then follow the order of use.
  }
  return slots
}

class Colours {
  private slots = $state.raw<Record<string, Map<string, number>>>({})
  private asked = new Set<string>()

  /** True when the colours of a dimension will not change any more. */
  ready(dimension: Dimension): boolean {
    this.ask(dimension)
    return dimension in this.slots
  }

  /**
   * Slots of these values of a dimension. The most used values of the last 30 days have slots of their own on
   * every page; others take what the values beside them leave free.
   */
  of(dimension: Dimension, names: string[]): Map<string, number> {
    this.ask(dimension)
    const known = this.slots[dimension]
    return assign(names, new Map([...(known ?? [])].filter(([name]) => names.includes(name))))
  }

  private ask(dimension: Dimension) {
    if (this.asked.has(dimension)) return
    this.asked.add(dimension)
    const settle = (names: string[]) => (this.slots = { ...this.slots, [dimension]: renew(dimension, names) })
    getJson<Values>(`/values?key=${encodeURIComponent(dimension)}&limit=${ORDER.length}`)
      .then(({ values }) => settle(values.map((v) => v.value)))
      // Without the list, colours are still stable within a page.
      .catch(() => settle((stored()[dimension] ?? []).map(([name]) => name)))
  }
}

export const colours = new Colours()
