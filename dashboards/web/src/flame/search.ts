// Frames by their label, and what they cost together.

import type { Tree } from './tree.ts'

export interface Matches {
  /** 1 for every matching node. */
  nodes: Uint8Array
  /** Matching nodes of the whole tree. */
  count: number
}

/** Nodes whose label contains `text`, whatever its case; "in quotes" the whole label must be equal. Null for no search. */
export function search(tree: Tree, text: string): Matches | null {
  const quoted = /^"(.+)"$/s.exec(text.trim())
  const wanted = (quoted?.[1] ?? text.trim()).toLowerCase()
  if (!wanted) return null
  const hits = tree.labels.map((label, i) => {
    if (i === 0) return false
    const lower = label.toLowerCase()
    return quoted ? lower === wanted : lower.includes(wanted)
  })
  const nodes = new Uint8Array(tree.size)
  let count = 0
  for (let node = 1; node < tree.size; node++) {
    if (!hits[tree.label[node]!]) continue
    nodes[node] = 1
    count++
  }
  return { nodes, count }
}

/** What to search for to find exactly the frames with this label. */
export function searchFor(tree: Tree, label: string): string {
  const lower = label.toLowerCase()
  const others = tree.labels.some(
    (other, i) => i > 0 && other !== label && other.toLowerCase().includes(lower),
  )
  const plain = label.trim() === label && !label.startsWith('"')
  return others || !plain ? `"${label}"` : label
}

export interface Matched {
  /** Outermost matching nodes of the view, in tree order: they do not contain each other. */
  outermost: number[]
  /** All matching nodes of the view. */
  count: number
  /** What the outermost nodes total: nothing is counted twice. */
  total: bigint
}

const WITHIN = 1
const MATCHED = 2

/** The matches at or below `top`. One pass over flat arrays: parents stand before children. */
export function matchedIn(tree: Tree, matches: Matches, top: number): Matched {
  const { size, parent, totals } = tree
  const outermost: number[] = []
  let total = 0n
  let count = 0
  const state = new Uint8Array(size)
  for (let node = top; node < size; node++) {
    const above = node === top ? WITHIN : state[parent[node]!]!
    if (!above) continue
    state[node] = above
    if (!matches.nodes[node]) continue
    state[node] = MATCHED
    count++
    if (above === MATCHED) continue
    outermost.push(node)
    total += totals[node]!
  }
  return { outermost, count, total }
}
