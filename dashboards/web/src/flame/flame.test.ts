import { describe, expect, it } from 'vitest'

import type { Flamegraph, Frame, FrameKind } from '../api/types.ts'
import { manyFrames } from '../dev/manyframes.ts'
import { addUp, firstOf, rowOf } from './groups.ts'
import { finish } from '../slices.svelte.ts'
import { Labels } from './label.ts'
import { Bars, depthAt, nodeAt, PITCH, rowTop, type View } from './layout.ts'
import { matchedIn, search, searchFor } from './search.ts'
import { buildTree, isWithin, pathTo, ROOT, type Tree } from './tree.ts'

function frame(
  id: string,
  parent: string | null,
  label: string,
  self: number,
  total: number,
  kind: FrameKind = 'step',
): Frame {
  return {
    id,
    parent,
    service: 's',
    kind,
    label,
    self: `${self}`,
    total: `${total}`,
    calls: total,
    errors: 0,
    unpriced: 0,
  }
}

function flame(frames: Frame[]): Flamegraph {
  const total = frames.reduce((sum, f) => sum + BigInt(f.self), 0n).toString()
  return { metric: 'cost', unit: 'picousd', total, calls: 1, traces: 1, frames, pruned: { nodes: 0 } }
}

// a(100): b(60, self 10): a(50) | c(30) ; d(20, another root)
const SMALL = flame([
  frame('1', null, 'a', 10, 100),
  frame('2', '1', 'b', 10, 60),
  frame('3', '1', 'c', 30, 30),
  frame('4', '2', 'a', 50, 50),
  frame('5', null, 'd', 20, 20),
])
const groupRows = (tree: Tree, top: number) => {
  // Into the arrays of other sums, as the page does.
  const sums = finish(addUp(tree, top, finish(addUp(tree, ROOT))))
  return sums.groups.sort((a, b) => a - b).map((group) => rowOf(sums, group))
}
/** Frames that often lie below one of their own name. */
function fewLabels(count: number, labels = 12): Flamegraph {
  const many = manyFrames(count)
  const kind: FrameKind = 'step'
  return {
    ...many,
    frames: many.frames.map((f, i) => ({ ...f, kind, service: 's', label: `step_${i % labels}` })),
  }
}
const VIEW: View = { x0: 0, x1: 1, width: 1200, height: 12 * PITCH, scroll: 0, upward: false }

describe('tree', () => {
  const tree = buildTree(SMALL)

  it('places children side by side inside their parent', () => {
    const edges = (node: number) => [tree.left[node]! * 120, tree.right[node]! * 120].map(Math.round)
    expect([1, 2, 3, 4, 5].map(edges)).toEqual([
      [0, 100],
      [0, 60],
      [60, 90],
      [0, 50],
      [100, 120],
    ])
    expect(tree.levels.map((l) => [...l])).toEqual([[0], [1, 5], [2, 3], [4]])
  })

  it('knows paths and containment', () => {
    expect(pathTo(tree, 4)).toEqual([1, 2, 4])
    expect(isWithin(tree, 4, 1)).toBe(true)
    expect(isWithin(tree, 5, 1)).toBe(false)
  })

  it('keeps a frame whose parent is not there', () => {
    const orphan = buildTree(flame([frame('9', 'gone', 'x', 5, 5)]))
    expect(orphan.parent[1]).toBe(ROOT)
    expect(orphan.right[1]).toBe(1)
  })

  it('survives nothing, and totals of zero', () => {
    expect(buildTree(flame([])).size).toBe(1)
    const zero = buildTree(flame([frame('1', null, 'a', 0, 0)]))
    expect(zero.right[1]).toBe(0)
  })

  it('survives 50,000 levels', () => {
    const deep = Array.from({ length: 50_000 }, (_, i) =>
      frame(`${i}`, i ? `${i - 1}` : null, 'r', i === 49_999 ? 1 : 0, 1),
    )
    const tower = buildTree(flame(deep))
    expect(tower.levels.length).toBe(50_001)
    expect(groupRows(tower, ROOT)[0]!.total).toBe(1n)
  })
})

describe('layout', () => {
  it('never draws a bar outside its parent or over its neighbour', () => {
    const tree = buildTree(manyFrames(20_000))
    const bars = new Bars(16)
    for (const [x0, x1] of [
      [0, 1],
      [0.2, 0.3],
      [0.5, 0.5001],
    ] as const) {
      bars.collect(tree, { ...VIEW, x0, x1 })
      expect(bars.count).toBeGreaterThan(0)
      let [row, end] = [-1, 0]
      for (let i = 0; i < bars.count; i++) {
        if (bars.y[i] !== row) [row, end] = [bars.y[i]!, -Infinity]
        expect(bars.x[i]! + 0.01).toBeGreaterThanOrEqual(end)
        end = bars.x[i]! + bars.width[i]!
      }
    }
  })

  it('covers every visible node with a bar', () => {
    const tree = buildTree(manyFrames(3000))
    const bars = new Bars()
    const view = { ...VIEW, x0: 0.2, x1: 0.6 }
    bars.collect(tree, view)
    const scale = view.width / (view.x1 - view.x0)
    const drawn = Array.from({ length: bars.count }, (_, i) => ({
      y: bars.y[i]!,
      from: bars.x[i]! - 0.01,
      to: bars.x[i]! + bars.width[i]! + 0.01,
    }))
    for (let node = 0; node < tree.size; node++) {
      const y = rowTop(tree, view, tree.depth[node]!)
      if (y >= view.height || tree.right[node]! <= view.x0 || tree.left[node]! >= view.x1) continue
      const [x, end] = [tree.left, tree.right].map((edges) => (edges[node]! - view.x0) * scale)
      expect(drawn.some((bar) => bar.y === y && bar.from <= x! && bar.to >= end!)).toBe(true)
    }
  })

  it('draws a bounded number of bars, whatever the number of frames', () => {
    const tree = buildTree(manyFrames(20_000))
    const bars = new Bars()
    bars.collect(tree, VIEW)
    expect(bars.count).toBeLessThan(VIEW.width * tree.levels.length)
    expect(bars.count).toBeLessThan(10_000)
  })

  it('finds the node under the pointer, root above or below', () => {
    const tree = buildTree(SMALL)
    for (const upward of [false, true]) {
      const view = { ...VIEW, upward }
      for (const node of [0, 1, 2, 3, 4, 5]) {
        const x = ((tree.left[node]! + tree.right[node]!) / 2) * view.width
        const y = rowTop(tree, view, tree.depth[node]!) + 5
        expect(nodeAt(tree, view, x, y)).toBe(node)
        expect(depthAt(tree, view, y)).toBe(tree.depth[node])
      }
      expect(nodeAt(tree, view, 1190, rowTop(tree, view, 3) + 5)).toBe(-1)
      expect(nodeAt(tree, view, 5, rowTop(tree, view, 9) + 5)).toBe(-1)
    }
  })
})

describe('search', () => {
  const tree = buildTree(SMALL)

  it('finds what one finds by asking each node for its ancestors', () => {
    const tree = buildTree(fewLabels(400))
    const matches = search(tree, 'step_1')!
    for (let top = ROOT; top < tree.size; top += 37) {
      const inView = [...tree.parent.keys()].filter((n) => n > ROOT && isWithin(tree, n, top))
      const hits = inView.filter((n) => matches.nodes[n])
      const outermost = hits.filter((n) => !hits.some((above) => above !== n && isWithin(tree, n, above)))
      const total = outermost.reduce((sum, n) => sum + tree.totals[n]!, 0n)
      expect(matchedIn(tree, matches, top)).toEqual({ outermost, count: hits.length, total })
    }
  })

  it('counts nothing twice', () => {
    const matches = search(tree, 'A')!
    expect(matches.count).toBe(2)
    expect(matchedIn(tree, matches, ROOT)).toEqual({ outermost: [1], count: 2, total: 100n })
    expect(matchedIn(tree, matches, 2)).toEqual({ outermost: [4], count: 1, total: 50n })
    expect(search(tree, '  ')).toBeNull()
    expect(search(tree, 'all traces')!.count).toBe(0)
  })

  it('finds one label exactly', () => {
    const models = buildTree(flame([frame('1', null, 'gpt-5', 1, 1), frame('2', null, 'gpt-5-mini', 1, 1)]))
    expect(searchFor(models, 'gpt-5')).toBe('"gpt-5"')
    expect(searchFor(models, 'gpt-5-mini')).toBe('gpt-5-mini')
    expect(search(models, '"gpt-5"')!.count).toBe(1)
    expect(search(models, 'gpt-5')!.count).toBe(2)
  })

  it('takes any text literally', () => {
    const odd = buildTree(flame([frame('1', null, 'a.*(b)[<script>', 1, 1)]))
    expect(search(odd, '.*(b)[<')!.count).toBe(1)
    expect(search(odd, '.+')!.count).toBe(0)
  })
})

describe('table', () => {
  it('adds frames of one name and counts recursion once', () => {
    const tree = buildTree(SMALL)
    const rows = groupRows(tree, ROOT)
    const a = rows.find((r) => tree.groups[r.group]!.label === 'a')!
    expect(a).toMatchObject({ self: 60n, total: 100n, calls: 100, largest: 1 })
    expect(rows.reduce((sum, r) => sum + r.self, 0n)).toBe(tree.totals[ROOT])
  })

  it('is of the zoomed part only', () => {
    const tree = buildTree(SMALL)
    const rows = groupRows(tree, 2)
    expect(rows.map((r) => [tree.groups[r.group]!.label, r.total])).toEqual([
      ['a', 50n],
      ['b', 60n],
    ])
  })

  it('adds up to the total for any tree', () => {
    const tree = buildTree(manyFrames(3000))
    expect(groupRows(tree, ROOT).reduce((sum, r) => sum + r.self, 0n)).toBe(tree.totals[ROOT])
  })

  it('is what one finds by asking each node for its ancestors', () => {
    for (const tree of [buildTree(fewLabels(400)), buildTree(fewLabels(400, 3))]) {
      for (let top = ROOT; top < tree.size; top += 37) {
        const rows = new Map(groupRows(tree, top).map((row) => [row.group, row]))
        const expected = new Map<number, { self: bigint; total: bigint; calls: number }>()
        for (let node = Math.max(1, top); node < tree.size; node++) {
          if (!isWithin(tree, node, top)) continue
          const group = tree.group[node]!
          const sum = expected.get(group) ?? { self: 0n, total: 0n, calls: 0 }
          expected.set(group, sum)
          sum.self += tree.selfs[node]!
          const around = pathTo(tree, tree.parent[node]!).filter(
            (n) => top === ROOT || isWithin(tree, n, top),
          )
          if (node !== top && around.some((n) => tree.group[n] === group)) continue
          sum.total += tree.totals[node]!
          sum.calls += tree.frames[node]!.calls
        }
        expect(rows.size).toBe(expected.size)
        for (const [group, sum] of expected) expect(rows.get(group)).toMatchObject(sum)
      }
    }
  })

  it('orders as much as is shown', () => {
    const many = Array.from({ length: 1000 }, (_, i) => (i * 7919) % 1000)
    const order = (a: number, b: number) => b - a
    for (const count of [1, 50, 999, 1000, 2000])
      expect(finish(firstOf(many, count, order))).toEqual(many.toSorted(order).slice(0, count))
    expect(finish(firstOf([], 50, order))).toEqual([])
  })
})

describe('labels', () => {
  const labels = new Labels(
    ['search_docs', '👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻', '', 'x'.repeat(10_000)],
    (text) => [...text].length * 10,
  )

  it('fit whole, cut with …, or not at all', () => {
    expect(labels.fit(0, 110)).toBe('search_docs')
    expect(labels.fit(0, 109)).toBe('search_do…')
    expect(labels.fit(0, 40)).toBe('sea…')
    expect(labels.fit(0, 39)).toBe('')
  })

  it('never split a character', () => {
    expect(labels.fit(1, 100)).toBe('👩‍💻👩‍💻👩‍💻…')
  })

  it('name the nameless and bound the endless', () => {
    expect(labels.fit(2, 500)).toBe('(unnamed)')
    expect(labels.width(3)).toBe(1210)
  })
})
