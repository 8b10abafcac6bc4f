// How much of a label fits: widths are added up once per label from those of its characters, so that drawing only
// looks them up. Kerning makes a label a little narrower than that sum, never wider.

import { visible } from '../text.ts'

/** Letters that must fit before a cut label is worth showing. */
const LEAST = 3
/** Longest part of a label that is ever drawn. */
const LONGEST = 120

export type Measure = (text: string) => number

interface Measured {
  text: string
  width: number
  /** End of each character in `text`, and the width up to there. */
  ends: number[]
  widths: number[]
  /** The text cut after so many characters, with …; made when first needed. */
  cut: (string | undefined)[]
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
const ASCII = /^[\x20-\x7e]*$/

/** Widths of single characters, each measured once. */
export class Characters {
  private widths = new Map<string, number>()
  private readonly measure: Measure

  constructor(measure: Measure) {
    this.measure = measure
  }

  width(character: string): number {
    let width = this.widths.get(character)
    if (width === undefined) {
      width = this.measure(character)
      this.widths.set(character, width)
    }
    return width
  }

  /** Of a text in which every code unit is a character. */
  sum(text: string): number {
    let width = 0
    for (let i = 0; i < text.length; i++) width += this.width(text[i]!)
    return width
  }
}

export class Labels {
  private measured: (Measured | undefined)[] = []
  private prepared = 0
  private readonly labels: string[]
  private readonly characters: Characters

  constructor(labels: string[], measure: Measure) {
    this.labels = labels
    this.characters = new Characters(measure)
  }

  /** Width of the whole label. */
  width(index: number): number {
    return this.of(index).width
  }

  /** Measures labels that were not drawn yet, for as long as `more` says. False when none is left. */
  prepare(more: () => boolean): boolean {
    while (this.prepared < this.labels.length && more()) this.of(this.prepared++)
    return this.prepared < this.labels.length
  }

  /** The label, or its first letters and …, in at most `room` pixels; empty when too little fits. Never half a letter. */
  fit(index: number, room: number): string {
    const label = this.of(index)
    if (label.width <= room) return label.text
    const { widths, ends, cut } = label
    const before = room - this.characters.width('…')
    let low = 0
    let high = widths.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (widths[middle]! <= before) low = middle + 1
      else high = middle
    }
    if (low < LEAST) return ''
    return (cut[low] ??= `${label.text.slice(0, ends[low - 1]).trimEnd()}…`)
  }

  private of(index: number): Measured {
    return (this.measured[index] ??= this.measureLabel(this.labels[index]!))
  }

  private measureLabel(label: string): Measured {
    const text = visible(label, LONGEST) || '(unnamed)'
    const ends: number[] = []
    const widths: number[] = []
    let width = 0
    const add = (character: string, end: number) => {
      width += this.characters.width(character)
      ends.push(end)
      widths.push(width)
    }
    if (ASCII.test(text)) for (let i = 0; i < text.length; i++) add(text[i]!, i + 1)
    else for (const { index, segment } of segmenter.segment(text)) add(segment, index + segment.length)
    return { text, width, ends, widths, cut: [] }
  }
}
