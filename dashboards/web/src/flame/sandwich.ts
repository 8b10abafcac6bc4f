// Callers and callees of some frames: what leads to them, and what they lead to, each as a flamegraph of its own.

import type { Flamegraph, Frame, FrameKind } from '../api/types.ts'
import type { Matches } from './search.ts'
import { matchedIn } from './search.ts'
import { ROOT, type Tree } from './tree.ts'

interface Merged {
  service: string
  kind: FrameKind
  label: string
  self: bigint
  total: bigint
  calls: number
  errors: number
  unpriced: number
  tokens: NonNullable<Frame['tokens']>
  amounts: Record<string, bigint>
  below: Map<number, Merged>
}

export interface Sandwich {
  /** The frame in the middle; null when frames of several names match, which then stand side by side. */
  label: string | null
  callers: Flamegraph
  callees: Flamegraph
}

/** Null when nothing matches at or below `top`. */
export function sandwich(flame: Flamegraph, tree: Tree, matches: Matches, top = ROOT): Sandwich | null {
  const { outermost } = matchedIn(tree, matches, top)
  if (!outermost.length) return null
  const callers = new Map<number, Merged>()
  const callees = new Map<number, Merged>()
  for (const node of outermost) {
    // Upwards every frame has what these frames total: that is what the caller spends through them.
    let level = callers
    for (let at = node; at > ROOT; at = tree.parent[at]!) {
      const merged = entry(level, tree, at)
      add(merged, tree, node)
      level = merged.below
    }
    descend(tree, node, callees)
  }
  const [only, ...more] = callees.values()
  if (!only || more.length)
    return { label: null, callers: flameOf(flame, callers), callees: flameOf(flame, callees) }
  const above = callers.values().next().value!
  return {
    label: only.label,
    callers: flameOf(flame, above.below, above),
    callees: flameOf(flame, only.below, only),
  }
}

/** Adds a subtree to merged frames, without recursion. */
function descend(tree: Tree, start: number, into: Map<number, Merged>) {
  const stack: [number, Map<number, Merged>][] = [[start, into]]
  while (stack.length) {
    const [node, level] = stack.pop()!
    const merged = entry(level, tree, node)
    add(merged, tree, node)
    merged.self += tree.selfs[node]!
    for (let child = tree.firstChild[node]!; child; child = tree.next[child]!)
      stack.push([child, merged.below])
  }
}

function entry(level: Map<number, Merged>, tree: Tree, node: number): Merged {
  const group = tree.group[node]!
  let merged = level.get(group)
  if (!merged) {
    const { service, kind, label } = tree.groups[group]!
    merged = {
      service,
      kind,
      label,
      self: 0n,
      total: 0n,
      calls: 0,
      errors: 0,
      unpriced: 0,
      tokens: {},
      amounts: {},
      below: new Map(),
    }
    level.set(group, merged)
  }
  return merged
}

/** Adds the figures of a node's subtree. */
function add(merged: Merged, tree: Tree, node: number) {
  const frame = tree.frames[node]!
  merged.total += tree.totals[node]!
  merged.calls += frame.calls
  merged.errors += frame.errors
  merged.unpriced += frame.unpriced
  for (const [key, count] of Object.entries(frame.tokens ?? {})) {
    const c = key as keyof typeof merged.tokens
    merged.tokens[c] = (merged.tokens[c] ?? 0) + count
  }
  for (const [key, pico] of Object.entries(frame.amounts ?? {}))
    merged.amounts[key] = (merged.amounts[key] ?? 0n) + BigInt(pico)
}

/** `whole`: what the roots are part of; without it they are everything. */
function flameOf(flame: Flamegraph, roots: Map<number, Merged>, whole?: Merged): Flamegraph {
  const frames: Frame[] = []
  const bySize = (level: Map<number, Merged>) =>
    [...level.values()].sort((a, b) => (a.total < b.total ? 1 : a.total > b.total ? -1 : 0))
  const stack = bySize(roots)
    .reverse()
    .map((merged) => ({ merged, parent: null as string | null }))
  while (stack.length) {
    const { merged, parent } = stack.pop()!
    const id = String(frames.length)
    frames.push({
      id,
      parent,
      service: merged.service,
      kind: merged.kind,
      label: merged.label,
      self: merged.self.toString(),
      total: merged.total.toString(),
      calls: merged.calls,
      errors: merged.errors,
      unpriced: merged.unpriced,
      tokens: merged.tokens,
      amounts: Object.fromEntries(Object.entries(merged.amounts).map(([c, pico]) => [c, pico.toString()])),
    })
    for (const below of bySize(merged.below).reverse()) stack.push({ merged: below, parent: id })
  }
  let total = 0n
  let calls = 0
  for (const merged of roots.values()) {
    total += merged.total
    calls += merged.calls
  }
  const all = whole ?? { total, calls }
  return {
    ...flame,
    base_total: undefined,
    total: all.total.toString(),
    calls: all.calls,
    frames,
    pruned: { nodes: 0 },
  }
}
