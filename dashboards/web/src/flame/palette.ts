// Colours of frames: by kind or by service, two lightnesses each so that neighbours part.

import type { Frame } from '../api/types.ts'
import { KINDS } from '../names.ts'
import { ROOT, type Tree } from './tree.ts'

export interface Palette {
  fills: string[]
  /** Index into `fills` of each node. */
  of: Uint8Array
  text: string
  /** Text of each fill, where one colour does not do for all. */
  texts?: string[]
}

/** Reads a CSS token. */
export type Token = (name: string) => string

/** 32-bit FNV-1a. */
export function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}

/** Folded rests and unseen parents are nobody's kind. */
const isNobody = (label: string, id: string | null) =>
  id === null || label === '(other)' || label === '(missing parent)'

export function byKind(tree: Tree, token: Token): Palette {
  const fills = [
    token('kind-all-1'),
    ...KINDS.flatMap((kind) => [token(`kind-${kind}-1`), token(`kind-${kind}-2`)]),
  ]
  const shades = tree.labels.map((label) => hash(label) & 1)
  const of = new Uint8Array(tree.size)
  for (let node = ROOT + 1; node < tree.size; node++) {
    const { kind, id, label } = tree.frames[node]!
    if (!isNobody(label, id)) of[node] = 1 + 2 * KINDS.indexOf(kind) + shades[tree.label[node]!]!
  }
  return { fills, of, text: token('frame-text') }
}

/** `slots`: categorical slot (1 to 10) of each service. */
export const byService = (tree: Tree, slots: Map<string, number>, token: Token) =>
  bySlot(tree, token, ({ service }) => slots.get(service) ?? 10)

/** `slots`: categorical slot (1 to 10) of each model. What is no model is grey. */
export const byModel = (tree: Tree, slots: Map<string, number>, token: Token) =>
  bySlot(tree, token, ({ kind, label }) => (kind === 'model' ? (slots.get(label) ?? 10) : 0))

/** Index of the fill of a categorical slot. */
export const fillOfSlot = (slot: number) => 2 * slot - 1

/** `slotOf`: categorical slot (1 to 10) of a frame, 0 for grey. */
function bySlot(tree: Tree, token: Token, slotOf: (frame: Frame) => number): Palette {
  const text = token('frame-text')
  const fills = [token('kind-all-1')]
  for (let slot = 1; slot <= 10; slot++) {
    const base = readable(token(`cat-${slot}`), token('surface'), text)
    fills.push(base, mix(base, token('surface'), 0.82))
  }
  const shades = tree.labels.map((label) => hash(label) & 1)
  const of = new Uint8Array(tree.size)
  for (let node = ROOT + 1; node < tree.size; node++) {
    const frame = tree.frames[node]!
    const slot = isNobody(frame.label, frame.id) ? 0 : slotOf(frame)
    if (slot) of[node] = fillOfSlot(slot) + shades[tree.label[node]!]!
  }
  return { fills, of, text }
}

/** Services by what they cost, for giving out colours. */
export const servicesOf = (tree: Tree) => namesOf(tree, ({ service }) => service)

/** Models by what they cost. */
export const modelsOf = (tree: Tree) => namesOf(tree, ({ kind, label }) => (kind === 'model' ? label : null))

function namesOf(tree: Tree, nameOf: (frame: Frame) => string | null): string[] {
  const sums = new Map<string, bigint>()
  for (let node = ROOT + 1; node < tree.size; node++) {
    const name = nameOf(tree.frames[node]!)
    if (name !== null) sums.set(name, (sums.get(name) ?? 0n) + tree.selfs[node]!)
  }
  return [...sums].sort(([, a], [, b]) => Number(b > a) - Number(b < a)).map(([name]) => name)
}

/** `steps`: 0 to 8 of each node, from much cheaper to much dearer. */
export function byChange(steps: Uint8Array, token: Token): Palette {
  const fills = Array.from({ length: 9 }, (_, i) => token(`diff-${i + 1}`))
  const [ink, white] = ['#17171c', '#ffffff']
  const texts = fills.map((fill) => (contrast(fill, ink) >= contrast(fill, white) ? ink : white))
  return { fills, of: steps, text: ink, texts }
}

type Rgb = [number, number, number]

function rgb(hex: string): Rgb {
  const n = parseInt(hex.slice(1), 16)
  return [n >> 16, (n >> 8) & 255, n & 255]
}

/** `share` of the first colour, the rest of the second. */
export function mix(a: string, b: string, share: number): string {
  const [x, y] = [rgb(a), rgb(b)]
  const part = (i: number) => Math.round(x[i]! * share + y[i]! * (1 - share))
  return `#${[0, 1, 2].map((i) => part(i).toString(16).padStart(2, '0')).join('')}`
}

/** WCAG contrast of two colours, 1 to 21. */
export function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)]
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05)
}

function luminance(hex: string): number {
  const [r, g, b] = rgb(hex).map((c) => {
    const s = c / 255
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4
  }) as Rgb
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

/** The colour, paled towards the surface until text on it has AA contrast. */
export function readable(colour: string, surface: string, text: string): string {
  for (let share = 0.9; share > 0.1; share -= 0.05) {
    const paled = mix(colour, surface, share)
    if (contrast(paled, text) >= 4.6) return paled
  }
  return surface
}
