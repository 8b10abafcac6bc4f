// The tree of frames in flat arrays: what a frame of animation needs is a few typed loads, no objects.

import type { Flamegraph, Frame } from '../api/types.ts'

/** Index of the root of all, which is no frame of its own. */
export const ROOT = 0

/** What the halves of a quantity are parted by. */
export const HALF = 1_000_000_000n
const DIGITS = 9

/** Quantities in two halves, each exact as a number, and so are sums of millions of them. */
export interface Halves {
  high: Float64Array
  low: Float64Array
}

/** Frames of the same service, kind and label, wherever they stand. */
export interface Group {
  service: string
  kind: Frame['kind']
  label: string
}

export interface Tree {
  /** Nodes, the root included. */
  size: number
  /** The frame of a node; undefined for the root. */
  frames: (Frame | undefined)[]
  parent: Int32Array
  depth: Int32Array
  /** Edges as fractions of the whole, 0 to 1. */
  left: Float64Array
  right: Float64Array
  /** First (largest) child and next sibling; 0 = none. */
  firstChild: Int32Array
  next: Int32Array
  /** Exact, in the unit of the flamegraph. */
  selfs: bigint[]
  totals: bigint[]
  /** The same again, for adding up. */
  halves: { selfs: Halves; totals: Halves }
  /** The same of the other side; only in a difference. */
  base: { selfs: bigint[]; totals: bigint[]; halves: { selfs: Halves; totals: Halves } } | null
  /** Distinct labels, and which one a node has. */
  labels: string[]
  label: Int32Array
  groups: Group[]
  group: Int32Array
  /** The nearest node above that is of the same group; 0 for none. */
  outer: Int32Array
  /** Calls at or below a node. */
  calls: Float64Array
  /** Nodes of each depth from left to right. */
  levels: Int32Array[]
  /** Node of a path id. */
  byId: Map<string, number>
}

export const ROOT_LABEL = 'all traces'

/** Parents stand before children in `frames`; a frame whose parent is not there hangs below the root. */
export function buildTree(flame: Flamegraph, rootLabel = ROOT_LABEL): Tree {
  const size = flame.frames.length + 1
  const tree: Tree = {
    size,
    frames: [undefined, ...flame.frames],
    parent: new Int32Array(size),
    depth: new Int32Array(size),
    left: new Float64Array(size),
    right: new Float64Array(size),
    firstChild: new Int32Array(size),
    next: new Int32Array(size),
    selfs: [0n],
    totals: [BigInt(flame.total)],
    halves: { selfs: halvesOf(size), totals: halvesOf(size) },
    base:
      flame.base_total === undefined
        ? null
        : {
            selfs: [0n],
            totals: [BigInt(flame.base_total)],
            halves: { selfs: halvesOf(size), totals: halvesOf(size) },
          },
    labels: [rootLabel],
    label: new Int32Array(size),
    groups: [{ service: '', kind: 'step', label: rootLabel }],
    group: new Int32Array(size),
    outer: new Int32Array(size),
    calls: new Float64Array(size),
    levels: [],
    byId: new Map(),
  }
  tree.parent[ROOT] = -1
  tree.right[ROOT] = 1
  link(tree)
  nest(tree)
  place(tree)
  tree.levels = levelsOf(tree)
  return tree
}

/** Parents, children, labels and groups. */
function link(tree: Tree) {
  const labels = new Map<string, number>()
  const groups = new Map<string, number>()
  const lastChild = new Int32Array(tree.size)
  for (let node = 1; node < tree.size; node++) {
    const frame = tree.frames[node]!
    const parent = frame.parent === null ? ROOT : (tree.byId.get(frame.parent) ?? ROOT)
    tree.parent[node] = parent
    tree.depth[node] = tree.depth[parent]! + 1
    if (frame.id !== null) tree.byId.set(frame.id, node)
    quantities(tree, node, frame.self, frame.total)
    tree.calls[node] = frame.calls
    if (tree.base) quantities(tree.base, node, frame.base_self ?? '0', frame.base_total ?? '0')
    tree.label[node] = intern(labels, frame.label, () => tree.labels.push(frame.label) - 1)
    const { service, kind, label } = frame
    const key = `${kind}\0${service}\0${label}`
    tree.group[node] = intern(groups, key, () => tree.groups.push({ service, kind, label }) - 1)
    if (lastChild[parent]) tree.next[lastChild[parent]] = node
    else tree.firstChild[parent] = node
    lastChild[parent] = node
  }
}

/** Finds recursion. Depth first without recursing itself: traces may be nested deeper than the call stack. */
function nest({ groups, group, outer, firstChild, next, parent }: Tree) {
  /** The innermost open node of each group. */
  const open = new Int32Array(groups.length)
  let node = ROOT
  for (;;) {
    const child = firstChild[node]!
    if (child) {
      enter((node = child))
      continue
    }
    while (!next[node]) {
      leave(node)
      if (node === ROOT || (node = parent[node]!) === ROOT) return
    }
    leave(node)
    enter((node = next[node]!))
  }

  function enter(at: number) {
    outer[at] = open[group[at]!]!
    open[group[at]!] = at
  }

  function leave(at: number) {
    open[group[at]!] = outer[at]!
  }
}

export const halvesOf = (size: number): Halves => ({
  high: new Float64Array(size),
  low: new Float64Array(size),
})

function quantities(
  side: Pick<Tree, 'selfs' | 'totals' | 'halves'>,
  node: number,
  self: string,
  total: string,
) {
  side.selfs.push(BigInt(self))
  side.totals.push(BigInt(total))
  split(side.halves.selfs, node, self)
  split(side.halves.totals, node, total)
}

function split({ high, low }: Halves, node: number, text: string) {
  const [sign, digits] = text.startsWith('-') ? [-1, text.slice(1)] : [1, text]
  low[node] = sign * Number(digits.slice(-DIGITS))
  high[node] = sign * Number(digits.slice(0, -DIGITS))
}

function intern(known: Map<string, number>, key: string, add: () => number): number {
  let index = known.get(key)
  if (index === undefined) {
    index = add()
    known.set(key, index)
  }
  return index
}

/** Children side by side below their parent, in the order given. */
function place({ size, parent, left, right, totals }: Tree) {
  const whole = Number(totals[ROOT])
  const used = new Float64Array(size)
  for (let node = 1; node < size; node++) {
    const above = parent[node]!
    const start = left[above]! + used[above]!
    const width = whole > 0 ? Math.max(0, Number(totals[node]) / whole) : 0
    left[node] = Math.min(start, right[above]!)
    right[node] = Math.min(start + width, right[above]!)
    used[above]! += width
  }
}

function levelsOf({ size, depth, left }: Tree): Int32Array[] {
  const counts: number[] = []
  for (let node = 0; node < size; node++) counts[depth[node]!] = (counts[depth[node]!] ?? 0) + 1
  const levels = counts.map((count) => new Int32Array(count))
  const filled = counts.map(() => 0)
  for (let node = 0; node < size; node++) levels[depth[node]!]![filled[depth[node]!]!++] = node
  for (const level of levels) level.sort((a, b) => left[a]! - left[b]! || a - b)
  return levels
}

/** Nodes from just below the root down to `node`; empty for the root. */
export function pathTo(tree: Tree, node: number): number[] {
  const path: number[] = []
  for (let n = node; n > ROOT; n = tree.parent[n]!) path.unshift(n)
  return path
}

export function isWithin(tree: Tree, node: number, ancestor: number): boolean {
  for (let n = node; n >= 0; n = tree.parent[n]!) if (n === ancestor) return true
  return false
}
