// The table beside the graph: frames of one name added up, recursion counted once.

import { ROOT, type Tree } from './tree.ts'

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

/** Rows for everything at or below `top`, in no particular order. The root of all has no row. */
export function groupRows(tree: Tree, top: number): GroupRow[] {
  const rows: (GroupRow | undefined)[] = new Array<GroupRow | undefined>(tree.groups.length)
  const open = new Int32Array(tree.groups.length)
  const enter = (node: number) => {
    if (node === ROOT) return
    const group = tree.group[node]!
    const row = (rows[group] ??= {
      group,
      self: 0n,
      total: 0n,
      calls: 0,
      baseSelf: 0n,
      baseTotal: 0n,
      largest: node,
    })
    row.self += tree.selfs[node]!
    row.baseSelf += tree.base?.selfs[node] ?? 0n
    if (open[group]!++ > 0) return
    row.total += tree.totals[node]!
    row.calls += tree.frames[node]!.calls
    row.baseTotal += tree.base?.totals[node] ?? 0n
    if (tree.totals[node]! > tree.totals[row.largest]!) row.largest = node
  }
  const leave = (node: number) => {
    open[tree.group[node]!]!--
  }
  // Depth first without recursion: traces may be nested deeper than the call stack.
  let node = top
  enter(node)
  for (;;) {
    const child = tree.firstChild[node]!
    if (child) {
      enter((node = child))
      continue
    }
    for (;;) {
      leave(node)
      if (node === top) return rows.filter((row) => row !== undefined)
      const sibling = tree.next[node]!
      if (sibling) {
        enter((node = sibling))
        break
      }
      node = tree.parent[node]!
    }
  }
}
