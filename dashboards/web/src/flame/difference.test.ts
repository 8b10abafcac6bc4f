import { describe, expect, it } from 'vitest'

import type { Flamegraph, Frame } from '../api/types.ts'
import { culprit, differenceOf, passing, perTrace, stepsOf, UNCHANGED } from './difference.ts'
import { sandwich } from './sandwich.ts'
import { search } from './search.ts'
import { buildTree, ROOT } from './tree.ts'

type Row = [id: string, parent: string | null, label: string, self: number, base: number]

/** Totals follow from selfs. */
function flame(rows: Row[]): Flamegraph {
  const below = (id: string, of: 3 | 4): number =>
    rows.reduce((sum, r) => sum + (r[0] === id ? r[of] : r[1] === id ? below(r[0], of) : 0), 0)
  const frames = rows.map(([id, parent, label, self, base]): Frame => ({
    id,
    parent,
    service: 's',
    kind: 'step',
    label,
    self: `${self}`,
    total: `${below(id, 3)}`,
    calls: 1,
    errors: 0,
    unpriced: 0,
    base_self: `${base}`,
    base_total: `${below(id, 4)}`,
    base_calls: 1,
  }))
  const sum = (of: 3 | 4) => `${rows.reduce((all, r) => all + r[of], 0)}`
  return {
    metric: 'cost',
    unit: 'picousd',
    total: sum(3),
    base_total: sum(4),
    calls: rows.length,
    traces: 10,
    frames,
    pruned: { nodes: 0 },
  }
}

const SMALL = flame([
  ['1', null, 'root', 0, 0],
  ['2', '1', 'agent', 0, 0],
  ['3', '2', 'model', 900, 100],
  ['4', '2', 'tool', 50, 60],
  ['5', null, 'batch', 100, 200],
])

describe('difference', () => {
  const tree = buildTree(SMALL)
  const difference = differenceOf(tree)!

  it('is now − base, and adds up', () => {
    expect(difference.net).toBe(690n)
    expect(difference.changes[tree.byId.get('3')!]).toBe(800n)
    const selfs = tree.selfs.reduce((sum, own, i) => sum + own - tree.base!.selfs[i]!, 0n)
    expect(selfs).toBe(difference.net)
  })

  it('colours by share of the net change', () => {
    const steps = stepsOf(difference)
    const step = (id: string) => steps[tree.byId.get(id)!]! - UNCHANGED
    expect([step('3'), step('4'), step('5')]).toEqual([4, -1, -2])
  })

  it('measures by all changes when they cancel out', () => {
    const even = buildTree(
      flame([
        ['1', null, 'a', 200, 100],
        ['2', null, 'b', 100, 199],
      ]),
    )
    const { gross, whole } = differenceOf(even)!
    expect(gross).toBe(true)
    expect(whole).toBe(199n)
  })

  it('names the frame that carries most of it', () => {
    expect(culprit(tree, difference)).toBe(tree.byId.get('3'))
    const spread = buildTree(
      flame([
        ['1', null, 'a', 200, 100],
        ['2', null, 'b', 200, 100],
      ]),
    )
    expect(culprit(spread, differenceOf(spread)!)).toBe(ROOT)
  })

  it('brings the base to as many traces', () => {
    const scaled = perTrace(SMALL, { now: 10, base: 20 })
    expect(scaled.base_total).toBe('180')
    expect(scaled.frames[2]!.base_self).toBe('50')
    expect(scaled.total).toBe(SMALL.total)
  })

  it('knows frames that only pass on', () => {
    const passes = passing(tree)
    const group = (label: string) => tree.groups.findIndex((g) => g.label === label)
    expect(passes[group('root')]).toBe(1)
    expect(passes[group('agent')]).toBe(0)
    expect(passes[group('model')]).toBe(0)
  })
})

describe('sandwich', () => {
  // a: x(10): m(5) | b: x(20), x below x counts once
  const flamegraph = flame([
    ['1', null, 'a', 0, 0],
    ['2', '1', 'x', 10, 0],
    ['3', '2', 'm', 5, 0],
    ['4', null, 'b', 1, 0],
    ['5', '4', 'x', 20, 0],
    ['6', '5', 'x', 2, 0],
  ])
  const tree = buildTree(flamegraph)

  it('adds up callers and callees of all occurrences', () => {
    const both = sandwich(flamegraph, tree, search(tree, '"x"')!)!
    expect(both.label).toBe('x')
    expect([both.callers.total, both.callees.total]).toEqual(['37', '37'])
    const rows = (f: Flamegraph) => f.frames.map((r) => [r.label, r.total])
    expect(rows(both.callers)).toEqual([
      ['b', '22'],
      ['a', '15'],
    ])
    expect(rows(both.callees)).toEqual([
      ['m', '5'],
      ['x', '2'],
    ])
  })

  it('puts frames of several names side by side', () => {
    const both = sandwich(flamegraph, tree, search(tree, 'm')!)!
    expect(both.label).toBe('m')
    const several = sandwich(
      flamegraph,
      tree,
      ((s) => (s.nodes.fill(0), (s.nodes[1] = 1), (s.nodes[4] = 1), s))(search(tree, 'a')!),
    )!
    expect(several.label).toBeNull()
    expect(several.callees.total).toBe('38')
  })

  it('is nothing without a match', () => {
    expect(sandwich(flamegraph, tree, search(tree, 'nope')!)).toBeNull()
  })
})
