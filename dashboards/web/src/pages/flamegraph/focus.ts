// What the panels below the graph are about: the matches of the search, else the zoomed frame, else everything.

import { matchedIn, type Matches } from '../../flame/search.ts'
import { isWithin, ROOT, ROOT_LABEL, type Tree } from '../../flame/tree.ts'
import type { Flamegraph, TokenClass } from '../../api/types.ts'
import { TOKEN_CLASSES } from '../../names.ts'
import { named } from '../../text.ts'
import type { Paths } from '../../flame/collapse.ts'
import type { Filter } from '../../url.ts'

/** Paths of one request; longer lists would not fit an address. */
const MOST = 40

export interface Focus {
  title: string
  /** The nodes it consists of; they do not contain each other. */
  nodes: number[]
  /** Nodes that were left out because there are too many. */
  omitted: number
}

/** `matches`: what was found when searching for `searched`; null without a search. */
export function focusOf(tree: Tree, zoom: number, matches: Matches | null, searched: string): Focus {
  if (!matches)
    return { title: zoom === ROOT ? ROOT_LABEL : named(tree.frames[zoom]!.label), nodes: [zoom], omitted: 0 }
  const { outermost } = matchedIn(tree, matches, zoom)
  const found = outermost.filter((node) => tree.frames[node]!.id !== null)
  const width = (node: number) => tree.right[node]! - tree.left[node]!
  found.sort((a, b) => width(b) - width(a))
  const labels = new Set(found.map((node) => tree.frames[node]!.label))
  const title = labels.size === 1 ? named([...labels][0]!) : named(searched.trim())
  return { title, nodes: found.slice(0, MOST), omitted: Math.max(0, found.length - MOST) }
}

/**
 * The view's filters narrowed to the focus. Paths within a path filter replace it, since several paths
 * are joined by "or"; above one, the filter already says all.
 */
export function focusFilters(
  tree: Tree,
  focus: Focus,
  filters: Filter[],
  collapsed: Map<string, Paths> | null = null,
): Filter[] {
  if (focus.nodes.includes(ROOT)) return filters
  const wanted = filters.filter((f) => f.key === 'path' && !f.not)
  const narrower = focus.nodes.every((node) =>
    wanted.some((f) => isWithin(tree, node, tree.byId.get(f.value) ?? -2)),
  )
  if (wanted.length && !narrower) return filters
  const ids = focus.nodes.flatMap((node) => tree.frames[node]!.id ?? [])
  const paths = ids.map((id): Paths => collapsed?.get(id) ?? { within: [id], without: [] })
  const path =
    (not: boolean) =>
    (value: string): Filter => ({ key: 'path', not, value })
  return [
    ...filters.filter((f) => f.key !== 'path' || f.not),
    ...paths
      .flatMap((p) => p.within)
      .slice(0, MOST)
      .map(path(false)),
    // Of several frames one may contain what is left out of another.
    ...(paths.length === 1 ? paths[0]!.without.slice(0, MOST).map(path(true)) : []),
  ]
}

export type PaidClass = TokenClass | 'other'

/** What anything in a flamegraph is paid for. */
export function classesOf({ frames }: Flamegraph): PaidClass[] {
  const used = new Set<string>()
  for (const { parent, tokens, amounts } of frames) {
    if (parent !== null) continue
    for (const [key, count] of Object.entries(tokens ?? {})) if (count) used.add(key)
    for (const [key, amount] of Object.entries(amounts ?? {})) if (amount !== '0') used.add(key)
  }
  return [...TOKEN_CLASSES, 'other' as const].filter((key) => used.has(key))
}
