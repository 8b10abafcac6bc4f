// Which nodes are visible in a view, and where. No allocation per frame of animation.

import type { Tree } from './tree.ts'

/** Distance of rows, and height of a frame. */
export const PITCH = 27
export const HEIGHT = 26

/** Nodes narrower than this are drawn together as one bar. */
export const THIN = 1.5

export interface View {
  /** Visible part of the whole, fractions. */
  x0: number
  x1: number
  /** Size of the drawing in CSS pixels, and how far it is scrolled down. */
  width: number
  height: number
  scroll: number
  /** Root at the bottom. */
  upward: boolean
}

/** Height of all rows. */
export const contentHeight = (tree: Tree, view: { height: number }) =>
  Math.max(tree.levels.length * PITCH, view.height)

/** Top of the row of a depth, relative to the drawing. */
export function rowTop(tree: Tree, view: View, depth: number): number {
  const top = view.upward ? contentHeight(tree, view) - (depth + 1) * PITCH : depth * PITCH
  return top - view.scroll
}

/** Depth of the row at `y`; -1 where there is none. */
export function depthAt(tree: Tree, view: View, y: number): number {
  const inside = y + view.scroll
  const depth = view.upward
    ? Math.floor((contentHeight(tree, view) - inside) / PITCH)
    : Math.floor(inside / PITCH)
  return depth >= 0 && depth < tree.levels.length ? depth : -1
}

/** First position in the level, from `start` on, whose right edge is beyond `x`. */
export function firstBeyond(tree: Tree, level: Int32Array, x: number, start = 0): number {
  // In growing steps first: what is looked for is often near.
  let low = start
  let step = start ? 1 : level.length
  while (low + step < level.length && tree.right[level[low + step - 1]!]! <= x) {
    low += step
    step *= 2
  }
  let high = Math.min(level.length, low + step)
  while (low < high) {
    const middle = (low + high) >> 1
    if (tree.right[level[middle]!]! > x) high = middle
    else low = middle + 1
  }
  return low
}

/** The node under a point; -1 where there is none. A thin node is found one pixel beside it too. */
export function nodeAt(tree: Tree, view: View, x: number, y: number): number {
  const depth = depthAt(tree, view, y)
  if (depth < 0) return -1
  const level = tree.levels[depth]!
  const scale = (view.x1 - view.x0) / view.width
  const at = view.x0 + x * scale
  const node = level[firstBeyond(tree, level, at)]
  if (node !== undefined && tree.left[node]! <= at + scale) return node
  const before = level[firstBeyond(tree, level, at - scale)]
  return before !== undefined && tree.left[before]! <= at ? before : -1
}

/** The bars of a view, in flat arrays that are used again for every frame of animation. */
export class Bars {
  count = 0
  /** The node; for bars of several thin nodes the first of them. */
  node: Int32Array
  x: Float32Array
  width: Float32Array
  y: Float32Array
  /** 1 where thin nodes are drawn together. */
  merged: Uint8Array

  constructor(capacity = 1024) {
    this.node = new Int32Array(capacity)
    this.x = new Float32Array(capacity)
    this.width = new Float32Array(capacity)
    this.y = new Float32Array(capacity)
    this.merged = new Uint8Array(capacity)
  }

  /** Fills the arrays with what is visible, row by row, left to right. */
  collect(tree: Tree, view: View) {
    this.count = 0
    for (let depth = 0; depth < tree.levels.length; depth++) {
      const y = rowTop(tree, view, depth)
      if (y > -PITCH && y < view.height) this.row(tree, view, tree.levels[depth]!, y)
    }
  }

  private row(tree: Tree, view: View, level: Int32Array, y: number) {
    const { left, right } = tree
    const pixel = (view.x1 - view.x0) / view.width
    for (let i = firstBeyond(tree, level, view.x0); i < level.length;) {
      const node = level[i]!
      const start = left[node]!
      if (start >= view.x1) break
      let end = right[node]!
      const thin = end - start < THIN * pixel
      // Thin nodes that end within the same few pixels are one bar; there may be thousands.
      const next = thin ? Math.max(i + 1, firstBeyond(tree, level, start + THIN * pixel, i)) : i + 1
      if (thin) end = right[level[next - 1]!]!
      this.push(node, (start - view.x0) / pixel, (end - start) / pixel, y, Number(thin))
      i = next
    }
  }

  private push(node: number, x: number, width: number, y: number, merged: number) {
    if (this.count === this.node.length) this.grow()
    const i = this.count++
    this.node[i] = node
    this.x[i] = x
    this.width[i] = width
    this.y[i] = y
    this.merged[i] = merged
  }

  private grow() {
    const bigger = new Bars(this.node.length * 2)
    bigger.node.set(this.node)
    bigger.x.set(this.x)
    bigger.width.set(this.width)
    bigger.y.set(this.y)
    bigger.merged.set(this.merged)
    Object.assign(this, bigger, { count: this.count })
  }
}
