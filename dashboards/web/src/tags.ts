// Tags are dimensions and filters whose names are known from the data alone.

import type { Span } from './range.ts'

export type Tag = `tag.${string}`

const isTag = (key: string): key is Tag => key.startsWith('tag.')

/** Where to ask which tags the calls of a range carry. */
export const tagsPath = ({ from, to }: Span) =>
  `/tags?from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`

/** Tags among `used` and of the known keys, each once, whose key contains what is typed; `tag.` before it says nothing. */
export function tagsLike(used: string[], known: string[], typed: string): Tag[] {
  const wanted = typed
    .trim()
    .replace(/^tag\./, '')
    .toLowerCase()
  const all = new Set<Tag>([...used.filter(isTag), ...known.map((key): Tag => `tag.${key}`)])
  return [...all].filter((tag) => tag.slice('tag.'.length).toLowerCase().includes(wanted))
}
