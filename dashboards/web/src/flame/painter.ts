// Draws a view of the tree on a canvas. Everything that is needed per frame of animation is allocated before.

import { Characters, Labels } from './label.ts'
import { Bars, HEIGHT, PITCH, rowTop, type View } from './layout.ts'
import type { Palette } from './palette.ts'
import type { Tree } from './tree.ts'

const INSET = 6
/** Free room beside label and money before the money is shown. */
const SPARE = 22
/** Below this width a frame is mute. */
const MUTE = 30
/** From this width on corners are round. */
const ROUND = 8
const GAP = 1
/** From this width on a match is outlined. */
const OUTLINED = 5
/** Amounts written for the first time per drawing: writing many at once would be felt. */
const NEW_AMOUNTS = 40

export interface Marks {
  /** 1 for each node that matches the search; null for no search. */
  matches: Uint8Array | null
  accent: string
}

export class Painter {
  readonly bars = new Bars()
  private readonly labels: Labels
  private readonly digits: Characters
  private amounts: (string | undefined)[]
  private amountWidths: Float32Array
  /** Bars sorted by colour, and where each colour ends in that order. */
  private order = new Int32Array(1024)
  private ends = new Int32Array(64)
  private cursor = new Int32Array(64)
  private inked = ''
  /** Amounts that may still be written for the first time in this drawing. */
  private budget = 0
  /** True when the last drawing left amounts away for lack of time: draw again. */
  unfinished = false
  private readonly ctx: CanvasRenderingContext2D
  private readonly tree: Tree
  private readonly fonts: { label: string; amount: string }
  private readonly amountOf: (node: number) => string

  constructor(ctx: CanvasRenderingContext2D, tree: Tree, font: string, amountOf: (node: number) => string) {
    this.ctx = ctx
    this.tree = tree
    this.amountOf = amountOf
    this.fonts = { label: `550 12px ${font}`, amount: `400 12px ${font}` }
    this.amounts = new Array<string | undefined>(tree.size)
    this.amountWidths = new Float32Array(tree.size)
    const measure = (font: string) => (text: string) => {
      ctx.font = font
      return ctx.measureText(text).width
    }
    this.labels = new Labels(tree.labels, measure(this.fonts.label))
    this.digits = new Characters(measure(this.fonts.amount))
  }

  /** Measures ahead what zooming will show, while there is time. False when nothing is left to do. */
  prepare(more: () => boolean): boolean {
    return this.labels.prepare(more)
  }

  /** Draws all frames of the view. `ratio` = device pixels per CSS pixel. */
  draw(view: View, palette: Palette, marks: Marks, ratio: number) {
    const { ctx, bars } = this
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0)
    ctx.clearRect(0, 0, view.width, view.height)
    bars.collect(this.tree, view)
    this.sortByColour(palette)
    for (let colour = 0; colour < palette.fills.length; colour++)
      this.fill(colour, palette.fills[colour]!, view, ratio)
    if (marks.matches) this.markMatches(marks.matches, marks.accent, view)
    ctx.textBaseline = 'middle'
    this.budget = NEW_AMOUNTS
    this.unfinished = false
    this.text(view, palette)
  }

  /** Outlines the flagged nodes among those drawn last, if they are at least `least` wide. */
  outline(
    ctx: CanvasRenderingContext2D,
    view: View,
    colour: string,
    line: number,
    flags: Uint8Array,
    least = 0,
  ) {
    const { bars } = this
    ctx.strokeStyle = colour
    ctx.lineWidth = line
    for (let i = 0; i < bars.count; i++) {
      if (!flags[bars.node[i]!] || bars.width[i]! < least) continue
      const left = Math.max(bars.x[i]!, -4)
      const right = Math.min(bars.x[i]! + bars.width[i]!, view.width + 4)
      const width = Math.max(right - left - GAP - line, 0.5)
      ctx.strokeRect(left + line / 2, bars.y[i]! + line / 2, width, HEIGHT - line)
    }
  }

  private sortByColour({ of }: Palette) {
    const { bars, ends, cursor } = this
    if (this.order.length < bars.count) this.order = new Int32Array(bars.node.length)
    ends.fill(0)
    for (let i = 0; i < bars.count; i++) ends[of[bars.node[i]!]!]!++
    for (let colour = 1; colour < ends.length; colour++) ends[colour]! += ends[colour - 1]!
    cursor.set(ends)
    for (let i = bars.count - 1; i >= 0; i--) this.order[--cursor[of[bars.node[i]!]!]!] = i
  }

  private fill(colour: number, style: string, view: View, ratio: number) {
    const { ctx, bars, order, ends } = this
    const from = colour ? ends[colour - 1]! : 0
    const to = ends[colour]!
    if (from === to) return
    ctx.fillStyle = style
    ctx.beginPath()
    for (let k = from; k < to; k++) {
      const i = order[k]!
      const left = Math.max(bars.x[i]!, -ROUND)
      const right = Math.min(bars.x[i]! + bars.width[i]!, view.width + ROUND)
      const x = Math.round(left * ratio) / ratio
      const width = Math.round(right * ratio) / ratio - x
      if (width > ROUND) ctx.roundRect(x, bars.y[i]!, width - GAP, HEIGHT, 1.5)
      else ctx.fillRect(x, bars.y[i]!, Math.max(width > 2.5 ? width - GAP : width - 0.4, 0.6), HEIGHT)
    }
    ctx.fill()
  }

  /** A 2 px outline, or a line below where a frame is too thin for one. */
  private markMatches(matches: Uint8Array, accent: string, view: View) {
    const { ctx, bars } = this
    ctx.fillStyle = accent
    for (let i = 0; i < bars.count; i++) {
      if (!matches[bars.node[i]!] || bars.width[i]! >= OUTLINED) continue
      ctx.fillRect(bars.x[i]!, bars.y[i]! + HEIGHT - 3, Math.max(bars.width[i]!, 1), 3)
    }
    this.outline(ctx, view, accent, 2, matches, OUTLINED)
  }

  /** Labels first, then amounts: changing the font is dearer than walking twice. */
  private text(view: View, palette: Palette) {
    const { ctx, bars, labels, tree } = this
    this.inked = ''
    ctx.font = this.fonts.label
    for (let i = 0; i < bars.count; i++) {
      if (bars.merged[i] || bars.width[i]! < MUTE) continue
      const left = Math.max(bars.x[i]!, 0)
      const room = Math.min(bars.x[i]! + bars.width[i]!, view.width) - left - GAP - 2 * INSET
      const text = labels.fit(tree.label[bars.node[i]!]!, room)
      if (!text) continue
      this.ink(palette, bars.node[i]!)
      ctx.fillText(text, left + INSET, bars.y[i]! + HEIGHT / 2 + 0.5)
    }
    ctx.font = this.fonts.amount
    for (let i = 0; i < bars.count; i++) {
      if (bars.merged[i] || bars.width[i]! < 2 * MUTE) continue
      const node = bars.node[i]!
      const left = Math.max(bars.x[i]!, 0)
      const room = Math.min(bars.x[i]! + bars.width[i]!, view.width) - left - GAP - 2 * INSET
      const after = labels.width(tree.label[node]!) + 8
      if (after + this.amountWidth(node) + SPARE > room) continue
      this.ink(palette, node)
      ctx.fillText(this.amounts[node]!, left + INSET + after, bars.y[i]! + HEIGHT / 2 + 0.5)
    }
  }

  private ink({ text, texts, of }: Palette, node: number) {
    const colour = texts ? texts[of[node]!]! : text
    if (colour === this.inked) return
    this.ctx.fillStyle = colour
    this.inked = colour
  }

  private amountWidth(node: number): number {
    if (this.amounts[node] === undefined) {
      if (this.budget-- <= 0) {
        this.unfinished = true
        return Infinity
      }
      this.amounts[node] = this.amountOf(node)
      this.amountWidths[node] = this.digits.sum(this.amounts[node])
    }
    return this.amountWidths[node]!
  }
}

/** Where a node is drawn, relative to the drawing; cut to its edges. */
export function boxOf(tree: Tree, view: View, node: number) {
  const scale = view.width / (view.x1 - view.x0)
  const left = Math.max(0, (tree.left[node]! - view.x0) * scale)
  const right = Math.min(view.width, (tree.right[node]! - view.x0) * scale)
  return { left, right, top: rowTop(tree, view, tree.depth[node]!), height: PITCH }
}
