import { describe, expect, it } from 'vitest'

import type { Flamegraph, Frame } from '../api/types.ts'
import { collapseRecursion } from './collapse.ts'
import { Random } from '../dev/random.ts'

/** Frames from "id parent label self" lines, totals worked out. */
function flameOf(lines: string[]): Flamegraph {
  const frames = lines.map((line): Frame => {
    const [id, parent, label, self] = line.split(' ') as [string, string, string, string]
    return {
      id: id === '-' ? null : id,
      parent: parent === '-' ? null : parent,
      service: 's',
      kind: 'agent',
      label,
      self,
      total: self,
      calls: Number(self),
      errors: 0,
      unpriced: 0,
      tokens: { input: Number(self) },
      amounts: { input: self },
    }
  })
  for (const f of frames.toReversed()) {
    const above = f.parent === null ? undefined : frames.find((p) => p.id === f.parent)
    if (!above) continue
    above.total = (BigInt(above.total) + BigInt(f.total)).toString()
    above.calls += f.calls
    above.tokens!.input! += f.tokens!.input!
    above.amounts!.input = above.total
  }
  const total = frames.reduce((sum, f) => sum + BigInt(f.self), 0n).toString()
  return { metric: 'cost', unit: 'picousd', total, calls: 0, traces: 1, frames, pruned: { nodes: 0 } }
}

const shape = (flame: Flamegraph) =>
  flame.frames.map((f) => `${f.parent ?? '-'} ${f.id} ${f.label} ${f.self}/${f.total}`)

describe('collapseRecursion', () => {
  it('adds what is below a frame of its own name to the outer one', () => {
    const { flame, paths } = collapseRecursion(
      flameOf(['a - A 1', 'b a B 2', 'a2 b A 4', 'b2 a2 B 8', 'c2 a2 C 16', 'c a C 32']),
    )
    expect(shape(flame)).toEqual(['- a A 5/63', 'a c2 C 48/48', 'a b B 10/10'])
    expect(paths.get('a')).toEqual({ within: ['a'], without: [] })
    expect(paths.get('b')).toEqual({ within: ['b', 'b2'], without: [] })
    expect(paths.get('c2')).toEqual({ within: ['c2', 'c'], without: [] })
    const [a, c] = flame.frames
    expect([a!.calls, a!.tokens, a!.amounts, c!.calls]).toEqual([63, { input: 63 }, { input: '63' }, 48])
  })

  it('says which paths a frame stands for', () => {
    const { paths } = collapseRecursion(flameOf(['a - A 1', 'b a B 2', 'a2 b A 4', 'c a2 C 8']))
    expect(paths.get('b')).toEqual({ within: ['b'], without: ['a2'] })
    expect(paths.get('c')).toEqual({ within: ['c'], without: [] })
  })

  it('leaves a flamegraph without recursion as it is', () => {
    const flame = flameOf(['a - A 1', 'b a B 2', '- a (other) 3'])
    expect(shape(collapseRecursion(flame).flame)).toEqual(['- a A 1/6', 'a b B 2/2', 'a null (other) 3/3'])
  })

  it('keeps every sum, whatever the tree', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed)
      const lines = Array.from({ length: 80 }, (_, i) => {
        const parent = i && random.next() > 0.1 ? `n${random.between(0, i - 1)}` : '-'
        return `n${i} ${parent} ${'ABCD'[random.between(0, 3)]!} ${random.between(0, 9)}`
      })
      const before = flameOf(lines)
      const { flame } = collapseRecursion(before)
      const sum = (list: (string | undefined)[]) => list.reduce((n, text) => n + BigInt(text ?? '0'), 0n)
      expect(sum(flame.frames.map((f) => f.self))).toBe(BigInt(before.total))
      expect(sum(flame.frames.filter((f) => f.parent === null).map((f) => f.total))).toBe(
        BigInt(before.total),
      )
      const byId = new Map(flame.frames.map((f) => [f.id, f]))
      for (const f of flame.frames) {
        const names = new Set<string>()
        for (let at: Frame | undefined = f; at; at = at.parent === null ? undefined : byId.get(at.parent)) {
          expect(names.has(at.label), 'no name twice on a path').toBe(false)
          names.add(at.label)
        }
        const below = flame.frames.filter((c) => c.parent === f.id)
        expect(BigInt(f.total)).toBe(BigInt(f.self) + sum(below.map((c) => c.total)))
        expect(f.amounts!.input ?? '0').toBe(f.total)
      }
    }
  })
})
