// The table beside the graph: frames of one name added up, recursion counted once.

import { HALF, type Halves, ROOT, type Tree } from './tree.ts'

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

/** Sums of very many quantities: adding bigints makes garbage, and one number does not hold them exactly. */
class Sums {
  private readonly high: Float64Array
  private readonly low: Float64Array

  constructor(size: number) {
    this.high = new Float64Array(size)
    this.low = new Float64Array(size)
  }

  add(at: number, halves: Halves, node: number) {
    this.high[at]! += halves.high[node]!
    this.low[at]! += halves.low[node]!
  }

  at(index: number): bigint {
    return BigInt(this.high[index]!) * HALF + BigInt(this.low[index]!)
  }
}

/** Rows for everything at or below `top`, in no particular order. The root of all has no row. */
export function groupRows(tree: Tree, top: number): GroupRow[] {
  const size = tree.groups.length
  const [selfs, totals, baseSelfs, baseTotals] = [0, 1, 2, 3].map(() => new Sums(size)) as [
    Sums,
    Sums,
    Sums,
    Sums,
  ]
  const calls = new Float64Array(size)
  const largest = new Int32Array(size)
  const open = new Int32Array(size)
  const { group, halves, base, frames, firstChild, next, parent, left, right } = tree
  const enter = (node: number) => {
    if (node === ROOT) return
    const at = group[node]!
    selfs.add(at, halves.selfs, node)
    if (base) baseSelfs.add(at, base.halves.selfs, node)
    if (open[at]!++ > 0) return
    totals.add(at, halves.totals, node)
    calls[at]! += frames[node]!.calls
    if (base) baseTotals.add(at, base.halves.totals, node)
    const best = largest[at]!
    if (!best || right[node]! - left[node]! > right[best]! - left[best]!) largest[at] = node
  }
  // Depth first without recursion: traces may be nested deeper than the call stack.
  let node = top
  enter(node)
  for (;;) {
    const child = firstChild[node]!
    if (child) {
      enter((node = child))
      continue
    }
    for (;;) {
      open[group[node]!]!--
      if (node === top) return rows()
      const sibling = next[node]!
      if (sibling) {
        enter((node = sibling))
        break
      }
      node = parent[node]!
    }
  }

  function rows(): GroupRow[] {
    return Array.from(largest, (node, at) => ({
      group: at,
      self: selfs.at(at),
      total: totals.at(at),
      calls: calls[at]!,
      baseSelf: baseSelfs.at(at),
      baseTotal: baseTotals.at(at),
      largest: node,
    })).filter((row) => row.largest)
  }
}
