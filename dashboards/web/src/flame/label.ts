// How much of a label fits: widths are measured once per label, so that drawing only looks them up.

import { visible } from '../text.ts'

/** Letters that must fit before a cut label is worth showing. */
const LEAST = 3
/** Longest part of a label that is ever drawn. */
const LONGEST = 120

export type Measure = (text: string) => number

interface Measured {
  text: string
  width: number
  /** End of each grapheme in `text`, and the width up to there. */
  ends: number[]
  widths: number[]
  /** The text cut after so many graphemes, with …; made when first needed. */
  cut: (string | undefined)[]
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

export class Labels {
  private measured: (Measured | undefined)[] = []
  private ellipsis: number
  private readonly labels: string[]
  private readonly measure: Measure

  constructor(labels: string[], measure: Measure) {
    this.labels = labels
    this.measure = measure
    this.ellipsis = measure('…')
  }

  /** Width of the whole label. */
  width(index: number): number {
    return this.of(index).width
  }

  /** The label, or its first letters and …, in at most `room` pixels; empty when too little fits. Never half a letter. */
  fit(index: number, room: number): string {
    const label = this.of(index)
    if (label.width <= room) return label.text
    const { widths, ends, cut } = label
    let low = 0
    let high = widths.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (widths[middle]! + this.ellipsis <= room) low = middle + 1
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
    for (const { index, segment } of segmenter.segment(text)) {
      ends.push(index + segment.length)
      widths.push(this.measure(text.slice(0, index + segment.length)))
    }
    return { text, width: widths.at(-1) ?? 0, ends, widths, cut: [] }
  }
}
