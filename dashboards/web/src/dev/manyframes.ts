// A flamegraph of any size, for tests of layout and speed.

import type { Flamegraph, Frame, FrameKind } from '../api/types.ts'
import { Random } from './random.ts'

const KINDS: FrameKind[] = ['request', 'workflow', 'agent', 'tool', 'step', 'model']

/** `count` frames, at most 24 deep, long-tailed as real ones are; adds up exactly. */
export function manyFrames(count: number, seed = 7): Flamegraph {
  const random = new Random(seed)
  const parents: number[] = []
  const depths: number[] = []
  for (let i = 0; i < count; i++) {
    const parent = i < 12 ? -1 : random.between(Math.max(0, Math.floor(i * 0.1) - 40), Math.floor(i * 0.6))
    const deep = parent >= 0 && depths[parent]! >= 23
    parents.push(deep ? -1 : parent)
    depths.push(parent < 0 || deep ? 0 : depths[parent]! + 1)
  }
  const selfs = parents.map(() => BigInt(Math.floor(random.next() ** 6 * 1e12)))
  const totals = [...selfs]
  for (let i = count - 1; i >= 0; i--) if (parents[i]! >= 0) totals[parents[i]!]! += totals[i]!
  const id = (i: number) => i.toString(16).padStart(32, '0')
  const frames = parents.map((parent, i): Frame => {
    const kind = KINDS[Math.min(5, depths[i]!)]!
    return {
      id: id(i),
      parent: parent < 0 ? null : id(parent),
      service: `service-${i % 7}`,
      kind,
      label: `${kind}_${i % 900}`,
      self: selfs[i]!.toString(),
      total: totals[i]!.toString(),
      calls: random.between(1, 500),
      errors: 0,
      unpriced: 0,
      tokens: { input: 1200, output: 300 },
      amounts: { input: totals[i]!.toString() },
    }
  })
  const total = selfs.reduce((a, b) => a + b, 0n)
  return {
    metric: 'cost',
    unit: 'picousd',
    total: total.toString(),
    calls: count * 9,
    traces: count,
    frames,
    pruned: { nodes: 0 },
  }
}
