// A difference of two sides, frame by frame: how strongly each changed, and where most of the change lies.

import type { Flamegraph } from '../api/types.ts'
import { ratio } from '../money.ts'
import { ROOT, type Tree } from './tree.ts'

/** Shares of the whole change from which on a frame is coloured one step stronger. */
export const STEPS = [0.01, 0.05, 0.15, 0.4] as const
/** The step of a frame that did not change. */
export const UNCHANGED = 4
/** A child that carries this share of its parent's change is followed further down. */
const MOST = 0.6

export interface Difference {
  /** now − base of each node's total. */
  changes: bigint[]
  /** What shares are shares of: the net change, or all changes together where most of them cancel out. */
  whole: bigint
  net: bigint
  /** True when `whole` is not the net change. */
  gross: boolean
}

const abs = (n: bigint) => (n < 0n ? -n : n)

/** Traces of both sides. */
export interface Traces {
  now: number
  base: number
}

/** A quantity of the other side as if it had had as many traces as this one. */
export const brought = (quantity: bigint, { now, base }: Traces) =>
  base ? (quantity * BigInt(now)) / BigInt(base) : quantity

/** The other side as if it had had as many traces as this one. */
export function perTrace(flame: Flamegraph, traces: Traces): Flamegraph {
  const scale = (text: string | undefined) => brought(BigInt(text ?? '0'), traces).toString()
  return {
    ...flame,
    base_total: scale(flame.base_total),
    frames: flame.frames.map((f) => ({
      ...f,
      base_self: scale(f.base_self),
      base_total: scale(f.base_total),
    })),
  }
}

export function differenceOf(tree: Tree): Difference | null {
  const { base } = tree
  if (!base) return null
  const changes = tree.totals.map((total, node) => total - base.totals[node]!)
  const net = changes[ROOT]!
  const all = tree.selfs.reduce((sum, own, node) => sum + abs(own - base.selfs[node]!), 0n)
  const gross = abs(net) * 4n < all
  return { changes, whole: gross ? all : abs(net), net, gross }
}

/** 0 to 8 for each node: four steps cheaper, unchanged, four steps dearer. */
export function stepsOf({ changes, whole }: Difference): Uint8Array {
  return Uint8Array.from(changes, (change) => {
    const share = ratio(abs(change), whole) ?? 0
    const step = STEPS.filter((least) => share >= least).length
    return UNCHANGED + (change < 0n ? -step : step)
  })
}

/** The node that carries most of the change at or below `top`: as deep as one child has most of its parent's. */
export function culprit(tree: Tree, { changes }: Difference, top = ROOT): number {
  let node = top
  for (;;) {
    const sign = changes[node]! < 0n ? -1n : 1n
    let largest = 0
    for (let child = tree.firstChild[node]!; child; child = tree.next[child]!) {
      if (!largest || sign * changes[child]! > sign * changes[largest]!) largest = child
    }
    if (!largest || tree.frames[largest]!.id === null) return node
    const share = ratio(changes[largest]!, changes[node]!)
    if (share === null || share < MOST) return node
    node = largest
  }
}

/** Groups whose frames only pass the change on: nothing of their own on either side, and one child each. */
export function passing(tree: Tree): Uint8Array {
  const passes = new Uint8Array(tree.groups.length).fill(1)
  for (let node = 1; node < tree.size; node++) {
    const child = tree.firstChild[node]!
    const own = tree.selfs[node] !== 0n || (tree.base && tree.base.selfs[node] !== 0n)
    if (own || !child || tree.next[child]) passes[tree.group[node]!] = 0
  }
  return passes
}
