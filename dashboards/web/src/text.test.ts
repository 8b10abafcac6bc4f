import { describe, expect, it } from 'vitest'

import { named, visible, wholeCharacters } from './text.ts'

describe('names', () => {
  it('shows control and direction-changing characters', () => {
    expect(visible('a\u0000b\nc')).toBe('a␀b␊c')
    expect(visible('\u202egnp.exe\u200b')).toBe('␣gnp.exe␣')
  })

  it('leaves scripts, emoji and markup alone', () => {
    for (const text of ['<b>x</b>', 'سؤال', '👩‍💻 planner', 'naïve']) expect(visible(text)).toBe(text)
  })

  it('cuts without splitting a character', () => {
    expect(wholeCharacters('ab🚀', 3)).toBe('ab')
    expect(visible('x'.repeat(10_000)).length).toBe(301)
    expect(named(null, 'unattributed')).toBe('unattributed')
    expect(named('')).toBe('(unnamed)')
  })
})
