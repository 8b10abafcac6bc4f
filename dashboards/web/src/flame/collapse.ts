// Recursion taken out of a flamegraph: what lies below a frame of the same name, kind and service further up is added
// to that one. Sums stay what they are; each frame remembers which paths it stands for.

import type { Flamegraph, Frame, IntText } from '../api/types.ts'

/**
 * Paths whose subtrees make up a frame, without the subtrees that belong to frames above it. Where the one lies within the
 * other (A B A B), filters by path cannot part them: then the frame is described with what was taken out of it.
 */
export interface Paths {
  within: string[]
  without: string[]
}

interface Collapsed {
  frame: Frame
  parent: Collapsed | null
  children: Map<string, Collapsed>
  paths: Paths
}

/** Quantities of a frame that are over its subtree. */
interface Subtree {
  calls: number
  errors: number
  unpriced: number
  base_calls: number
  tokens: Map<string, number>
  amounts: Map<string, bigint>
}

/** The flamegraph without recursion; parents still stand before children. */
export function collapseRecursion(flame: Flamegraph): { flame: Flamegraph; paths: Map<string, Paths> } {
  const owns = ownOf(flame.frames)
  const top = new Map<string, Collapsed>()
  /** Where each frame of the original went. */
  const places = new Map<string | null, Collapsed | null>([[null, null]])
  const order: Collapsed[] = []
  const parents = new Map(flame.frames.map((f) => [f.id, f.parent]))
  flame.frames.forEach((frame, i) => {
    const parent = places.get(frame.parent) ?? null
    const key = keyOf(frame)
    const above = frame.id === null ? null : ancestor(parent, key)
    if (above) {
      // Frames between belong to others now: their own paths must not count what is below here.
      for (let between = parent!; between !== above; between = between.parent!)
        between.paths.without.push(frame.id!)
      add(above.frame, frame, owns[i]!)
      places.set(frame.id, above)
      return
    }
    const siblings = parent ? parent.children : top
    let place = siblings.get(key)
    if (!place) {
      place = {
        frame: emptyFrame(frame, parent),
        parent,
        children: new Map(),
        paths: { within: [], without: [] },
      }
      siblings.set(key, place)
      order.push(place)
    }
    add(place.frame, frame, owns[i]!)
    if (frame.id === null) return
    places.set(frame.id, place)
    place.paths.within.push(frame.id)
    for (let up = frame.parent; up && place.paths.without.length; up = parents.get(up) ?? null)
      place.paths.without = place.paths.without.filter((path) => path !== up)
  })
  for (const { frame, parent } of order.toReversed()) if (parent) addTotals(parent.frame, frame)
  return {
    flame: { ...flame, frames: sorted(order) },
    paths: new Map(order.flatMap(({ frame, paths }) => (frame.id === null ? [] : [[frame.id, paths]]))),
  }
}

const keyOf = (frame: Frame) =>
  frame.id === null ? '(other)' : `${frame.kind}\0${frame.service}\0${frame.label}`

function ancestor(from: Collapsed | null, key: string): Collapsed | null {
  for (let at = from; at; at = at.parent) if (at.frame.id !== null && keyOf(at.frame) === key) return at
  return null
}

/** What each frame has beyond its children. */
function ownOf(frames: Frame[]): Subtree[] {
  const owns = frames.map((f): Subtree => ({
    calls: f.calls,
    errors: f.errors,
    unpriced: f.unpriced,
    base_calls: f.base_calls ?? 0,
    tokens: new Map(Object.entries(f.tokens ?? {})),
    amounts: new Map(Object.entries(f.amounts ?? {}).map(([c, pico]) => [c, BigInt(pico)])),
  }))
  const places = new Map(frames.map((f, i) => [f.id, i]))
  for (const f of frames) {
    const above = f.parent === null ? undefined : owns[places.get(f.parent) ?? -1]
    if (!above) continue
    above.calls -= f.calls
    above.errors -= f.errors
    above.unpriced -= f.unpriced
    above.base_calls -= f.base_calls ?? 0
    for (const [c, n] of Object.entries(f.tokens ?? {})) above.tokens.set(c, (above.tokens.get(c) ?? 0) - n)
    for (const [c, pico] of Object.entries(f.amounts ?? {}))
      above.amounts.set(c, (above.amounts.get(c) ?? 0n) - BigInt(pico))
  }
  return owns
}

function emptyFrame(like: Frame, parent: Collapsed | null): Frame {
  const { id, service, kind, label } = like
  const frame: Frame = {
    id,
    parent: parent?.frame.id ?? null,
    service,
    kind,
    label,
    self: '0',
    total: '0',
    calls: 0,
    errors: 0,
    unpriced: 0,
    tokens: {},
    amounts: {},
  }
  return like.base_self === undefined ? frame : { ...frame, base_self: '0', base_total: '0', base_calls: 0 }
}

const plus = (a: IntText | undefined, b: IntText | bigint | undefined): IntText =>
  (BigInt(a ?? '0') + BigInt(b ?? '0')).toString()

/** Adds a frame's own quantities. */
function add(to: Frame, frame: Frame, own: Subtree) {
  to.self = plus(to.self, frame.self)
  to.total = plus(to.total, frame.self)
  addCounts(to, own)
  for (const [c, n] of own.tokens) addTokens(to, c, n)
  for (const [c, pico] of own.amounts) addAmount(to, c, pico)
  if (frame.base_self === undefined) return
  to.base_self = plus(to.base_self, frame.base_self)
  to.base_total = plus(to.base_total, frame.base_self)
  to.base_calls = (to.base_calls ?? 0) + own.base_calls
}

/** Adds what a child has to its parent. */
function addTotals(to: Frame, child: Frame) {
  to.total = plus(to.total, child.total)
  addCounts(to, child)
  for (const [c, n] of Object.entries(child.tokens ?? {})) addTokens(to, c, n)
  for (const [c, pico] of Object.entries(child.amounts ?? {})) addAmount(to, c, BigInt(pico))
  if (child.base_total === undefined) return
  to.base_total = plus(to.base_total, child.base_total)
  to.base_calls = (to.base_calls ?? 0) + (child.base_calls ?? 0)
}

function addCounts(to: Frame, from: Pick<Frame, 'calls' | 'errors' | 'unpriced'>) {
  to.calls += from.calls
  to.errors += from.errors
  to.unpriced += from.unpriced
}

function addTokens({ tokens }: Frame, c: string, n: number) {
  const classes = tokens as Record<string, number>
  if (n) classes[c] = (classes[c] ?? 0) + n
}

function addAmount({ amounts }: Frame, c: string, pico: bigint) {
  const classes = amounts as Record<string, IntText>
  if (pico) classes[c] = plus(classes[c], pico)
}

/** Depth first, siblings by total, largest first, the folded rest last. */
function sorted(order: Collapsed[]): Frame[] {
  const frames: Frame[] = []
  const bySize = (a: Collapsed, b: Collapsed) => {
    if ((a.frame.id === null) !== (b.frame.id === null)) return a.frame.id === null ? 1 : -1
    const [x, y] = [BigInt(a.frame.total), BigInt(b.frame.total)]
    return x < y ? 1 : x > y ? -1 : 0
  }
  const stack = order
    .filter((c) => !c.parent)
    .sort(bySize)
    .reverse()
  while (stack.length) {
    const next = stack.pop()!
    frames.push(next.frame)
    stack.push(...[...next.children.values()].sort(bySize).reverse())
  }
  return frames
}
