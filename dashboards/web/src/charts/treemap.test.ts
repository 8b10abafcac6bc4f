import { describe, expect, it } from 'vitest'

import { treemap } from './treemap.ts'

describe('treemap', () => {
  it('gives each value its share of the area, inside and without overlap', () => {
    for (const values of [[1], [6, 6, 4, 3, 2, 2, 1], [1000, 1, 1, 1], [5, 0, -3, 5], Array(60).fill(1)]) {
      const tiles = treemap(values, 600, 400)
      const whole = values.reduce((sum: number, v: number) => sum + Math.max(0, v), 0)
      for (const t of tiles) {
        expect((t.width * t.height) / 240_000).toBeCloseTo(values[t.index]! / whole, 9)
        expect(t.x).toBeGreaterThanOrEqual(-1e-6)
        expect(t.x + t.width).toBeLessThanOrEqual(600 + 1e-6)
        expect(t.y + t.height).toBeLessThanOrEqual(400 + 1e-6)
      }
      for (const [i, a] of tiles.entries())
        for (const b of tiles.slice(i + 1)) {
          const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)
          const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y)
          expect(Math.min(across, down)).toBeLessThan(1e-6)
        }
    }
  })

  it('keeps tiles near squares', () => {
    const ratios = treemap([6, 6, 4, 3, 2, 2, 1], 600, 400).map(
      (t) => Math.max(t.width, t.height) / Math.min(t.width, t.height),
    )
    expect(Math.max(...ratios)).toBeLessThan(3)
  })

  it('is empty without values or room', () => {
    expect(treemap([], 10, 10)).toEqual([])
    expect(treemap([0], 10, 10)).toEqual([])
    expect(treemap([1], 0, 10)).toEqual([])
  })
})
