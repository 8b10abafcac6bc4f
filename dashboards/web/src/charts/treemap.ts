// Areas side by side: squarified, as in Bruls, Huizing and van Wijk (2000).

export interface Tile {
  /** Place in the list of values. */
  index: number
  x: number
  y: number
  width: number
  height: number
}

/** Tiles of the values above zero, largest first, that fill `width` × `height`. */
export function treemap(values: number[], width: number, height: number): Tile[] {
  const left = values
    .map((value, index) => ({ value, index }))
    .filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value || a.index - b.index)
  const whole = left.reduce((sum, { value }) => sum + value, 0)
  if (!whole || width <= 0 || height <= 0) return []
  const scale = (width * height) / whole
  const tiles: Tile[] = []
  let [x, y, w, h] = [0, 0, width, height]
  let at = 0
  while (at < left.length) {
    const side = Math.min(w, h)
    let sum = 0
    let worst = Infinity
    let end = at
    while (end < left.length) {
      const next = sum + left[end]!.value * scale
      const ratio = worstRatio(left[at]!.value * scale, left[end]!.value * scale, next, side)
      if (ratio > worst) break
      worst = ratio
      sum = next
      end++
    }
    const thick = end === left.length ? Math.max(w, h) : sum / side
    let along = 0
    for (const { value, index } of left.slice(at, end)) {
      const long = (value * scale) / (sum / side)
      tiles.push(
        w >= h
          ? { index, x, y: y + along, width: thick, height: long }
          : { index, x: x + along, y, width: long, height: thick },
      )
      along += long
    }
    if (w >= h) [x, w] = [x + thick, w - thick]
    else [y, h] = [y + thick, h - thick]
    at = end
  }
  return tiles
}

/** The longest to the shorter side among the areas of a row; the first is the largest, the last the smallest. */
function worstRatio(largest: number, smallest: number, sum: number, side: number): number {
  const square = side * side
  return Math.max((square * largest) / (sum * sum), (sum * sum) / (square * smallest))
}
