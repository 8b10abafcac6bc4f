// The table beside the graph: frames of one name added up, recursion counted once. Sums are kept as numbers, for all
// groups at once; rows with exact amounts are made only of what is shown. What walks all frames or groups is a generator,
// so that it can be spread over frames of animation.

import { HALF, type Halves, halvesOf, ROOT, type Tree } from './tree.ts'

export interface GroupRow {
  group: number
  self: bigint
  /** Of the outermost frames only: a frame below one of its own name is already in it. */
  total: bigint
  calls: number
  /** The other side's; zero outside a difference. */
  baseSelf: bigint
  baseTotal: bigint
  /** The largest outermost node. */
  largest: number
}

/** Quantities of each group, selfs of all frames and totals of the outermost. */
interface Side {
  selfs: Halves
  totals: Halves
}

export interface Sums {
  tree: Tree
  /** The node that everything added up is at or below. */
  top: number
  /** Groups that have a frame in view, in no particular order. */
  groups: number[]
  now: Side
  base: Side | null
  calls: Float64Array
  /** The largest outermost node of a group; 0 where none is in view. */
  largest: Int32Array
  /** 1 for each node in view. */
  within: Uint8Array
}

/** Nodes or groups between two pauses. */
const STRETCH = 1024

/**
 * Sums by group of everything at or below `top`. One pass over flat arrays: parents stand before children. `spare` are
 * sums of the same tree that nobody looks at any more: megabytes that need not be asked for again with every zoom.
 */
export function* addUp(tree: Tree, top: number, spare: Sums | null = null): Generator<undefined, Sums> {
  const sums = spare?.tree === tree ? emptied(spare, top) : empty(tree, top)
  const { size, parent, depth, group, outer, left, right, halves, base, calls } = tree
  const highest = depth[top]!
  const { within } = sums
  within[top] = 1
  for (let node = top; node < size; node++) {
    if (node % STRETCH === 0) yield
    if (node !== top && !within[parent[node]!]) continue
    within[node] = 1
    if (node === ROOT) continue
    const at = group[node]!
    add(sums.now.selfs, at, halves.selfs, node)
    if (base) add(sums.base!.selfs, at, base.halves.selfs, node)
    const around = outer[node]!
    if (around > ROOT && depth[around]! >= highest) continue
    add(sums.now.totals, at, halves.totals, node)
    if (base) add(sums.base!.totals, at, base.halves.totals, node)
    sums.calls[at]! += calls[node]!
    const best = sums.largest[at]!
    if (!best) sums.groups.push(at)
    if (!best || right[node]! - left[node]! > right[best]! - left[best]!) sums.largest[at] = node
  }
  return sums
}

function empty(tree: Tree, top: number): Sums {
  const count = tree.groups.length
  const side = (): Side => ({ selfs: halvesOf(count), totals: halvesOf(count) })
  return {
    tree,
    top,
    groups: [],
    now: side(),
    base: tree.base && side(),
    calls: new Float64Array(count),
    largest: new Int32Array(count),
    within: new Uint8Array(tree.size),
  }
}

function emptied(sums: Sums, top: number): Sums {
  const { groups, now, base, calls, largest, within } = sums
  groups.length = 0
  for (const { selfs, totals } of base ? [now, base] : [now])
    for (const { high, low } of [selfs, totals]) {
      high.fill(0)
      low.fill(0)
    }
  for (const array of [calls, largest, within]) array.fill(0)
  return { ...sums, top }
}

function add(to: Halves, at: number, from: Halves, node: number) {
  to.high[at]! += from.high[node]!
  to.low[at]! += from.low[node]!
}

const exact = ({ high, low }: Halves, at: number) => BigInt(high[at]!) * HALF + BigInt(low[at]!)

export const rowOf = ({ now, base, calls, largest }: Sums, group: number): GroupRow => ({
  group,
  self: exact(now.selfs, group),
  total: exact(now.totals, group),
  calls: calls[group]!,
  baseSelf: base ? exact(base.selfs, group) : 0n,
  baseTotal: base ? exact(base.totals, group) : 0n,
  largest: largest[group]!,
})

/** A sum as a number, near enough to sort by. */
export const near = ({ high, low }: Halves, at: number) => high[at]! * Number(HALF) + low[at]!

/** How much a total differs from that of the other side, to sort by. */
export const nearChange = ({ now, base }: Sums, at: number) =>
  base ? Math.abs(near(now.totals, at) - near(base.totals, at)) : 0

/** The first `count` of many in an order, without sorting all of them. */
export function* firstOf(
  many: number[],
  count: number,
  order: (a: number, b: number) => number,
): Generator<undefined, number[]> {
  const kept: number[] = []
  let last: number | undefined
  // By index: pairs of index and value would be thrown away by the ten thousand.
  for (let i = 0; i < many.length; i++) {
    if (i % STRETCH === 0) yield
    const one = many[i]!
    if (last !== undefined && order(one, last) >= 0) continue
    if (kept.push(one) < 2 * count) continue
    kept.sort(order).length = count
    last = kept[count - 1]
  }
  return kept.sort(order).slice(0, count)
}
