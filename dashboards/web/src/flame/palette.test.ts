import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

import { contrast, mix, readable } from './palette.ts'

const css = readFileSync(new URL('../theme.css', import.meta.url), 'utf8')
const dark = css.indexOf("[data-theme='dark'] {")
const themes = { light: css.slice(0, dark), dark: css.slice(dark) }
const tokens = (text: string) =>
  new Map([...text.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((m) => [m[1]!, m[2]!]))

describe.each(Object.entries(themes))('%s theme', (_, text) => {
  const theme = tokens(text)
  const get = (name: string) => theme.get(name)!

  it('has AA contrast for text on every frame of every kind', () => {
    const fills = [...theme].filter(([name]) => name.startsWith('kind-'))
    expect(fills).toHaveLength(14)
    for (const [name, fill] of fills)
      expect(contrast(fill, get('frame-text')), name).toBeGreaterThanOrEqual(4.5)
  })

  it('has AA contrast for text on every service colour', () => {
    for (let slot = 1; slot <= 10; slot++) {
      const fill = readable(get(`cat-${slot}`), get('surface'), get('frame-text'))
      expect(contrast(fill, get('frame-text')), `slot ${slot}`).toBeGreaterThanOrEqual(4.5)
      expect(
        contrast(mix(fill, get('surface'), 0.82), get('frame-text')),
        `slot ${slot}`,
      ).toBeGreaterThanOrEqual(4.5)
    }
  })

  it('has AA contrast for all three strengths of text', () => {
    for (const text of ['text', 'text-2', 'text-3']) {
      for (const ground of ['bg', 'surface', 'hover', 'selected', 'tooltip']) {
        expect(contrast(get(text), get(ground)), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5)
      }
    }
    for (const text of ['accent', 'good', 'bad', 'dearer', 'cheaper']) {
      expect(contrast(get(text), get('surface')), text).toBeGreaterThanOrEqual(4.5)
    }
  })
})
