import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { later, type Step } from './frames.ts'

let frames: (() => void)[] = []
let now = 0

/** One frame of animation. */
function draw() {
  const waiting = frames
  frames = []
  for (const callback of waiting) callback()
}

beforeEach(() => {
  frames = []
  vi.stubGlobal('requestAnimationFrame', (callback: () => void) => frames.push(callback))
  vi.spyOn(performance, 'now').mockImplementation(() => now)
})
afterEach(() => {
  while (frames.length) draw()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

it('takes steps until the slice is over, and goes on in the next frame', () => {
  let steps = 0
  later(() => {
    now++
    return ++steps < 5 ? 'more' : 'done'
  })
  draw()
  expect(steps).toBe(0)
  draw()
  expect(steps).toBe(3)
  draw()
  expect(steps).toBe(5)
  expect(frames).toHaveLength(0)
})

it('lets one change the page per frame, each in its turn', () => {
  const order: string[] = []
  const job = (name: string) => {
    let left = 2
    later((): Step => {
      order.push(name)
      return --left ? 'shown' : 'done'
    })
  }
  job('a')
  job('b')
  draw()
  draw()
  expect(order).toEqual(['a'])
  draw()
  expect(order).toEqual(['a', 'b'])
  draw()
  expect(order).toEqual(['a', 'b', 'a', 'b'])
})

it('stops', () => {
  let steps = 0
  const stop = later((): Step => {
    steps++
    return 'shown'
  })
  draw()
  draw()
  stop()
  draw()
  expect(steps).toBe(1)
  expect(frames).toHaveLength(0)
})
