import { expect, it } from 'vitest'

import { tagsLike } from './tags.ts'

const KNOWN = ['release', 'team', 'Team lead', 'tag.x']

it('lists what is in use and what is known, each once', () => {
  expect(tagsLike(['user', 'tag.team', 'tag.gone'], KNOWN, '')).toEqual([
    'tag.team',
    'tag.gone',
    'tag.release',
    'tag.Team lead',
    'tag.tag.x',
  ])
})

it('finds what contains the typed text in any case', () => {
  expect(tagsLike([], KNOWN, ' TEAM')).toEqual(['tag.team', 'tag.Team lead'])
  expect(tagsLike([], KNOWN, 'tag.rel')).toEqual(['tag.release'])
  expect(tagsLike([], KNOWN, 'nothing')).toEqual([])
})
