import { expect, it } from 'vitest'

import type { Flamegraph, Frame } from '../../api/types.ts'
import { classesOf } from './focus.ts'

const frame = (parent: string | null, tokens: Frame['tokens'], amounts: Frame['amounts']) =>
  ({ parent, tokens, amounts }) as Frame

it('knows what anything is paid for from the outermost frames', () => {
  const frames = [
    frame(null, { output: 3, input: 0 }, { output: '5' }),
    frame(null, { cache_read: 2 }, { other: '1', input: '0' }),
    frame('1', { reasoning: 9 }, {}),
  ]
  expect(classesOf({ frames } as Flamegraph)).toEqual(['cache_read', 'output', 'other'])
})
