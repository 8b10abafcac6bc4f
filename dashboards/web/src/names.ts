// How values of a dimension and units are called.

import type { Counter, Dimension, FrameKind, LineUnit, TokenClass } from './api/types.ts'
import { named } from './text.ts'

/** A value of a dimension; null is what carries none. */
export function valueName(dimension: Dimension, value: string | null): string {
  if (value !== null) return named(value, '(empty)')
  return dimension === 'model' || dimension === 'provider' ? `no ${dimension}` : 'unattributed'
}

const UNITS: Record<TokenClass | Counter | 'request' | 'other', string> = {
  input: 'input',
  cache_read: 'cache read',
  cache_write: 'cache write 5m',
  cache_write_1h: 'cache write 1h',
  audio_in: 'audio in',
  cache_read_audio: 'cached audio',
  image_in: 'image in',
  video_in: 'video in',
  output: 'output',
  reasoning: 'reasoning',
  audio_out: 'audio out',
  image_out: 'image out',
  web_searches: 'web searches',
  storage_searches: 'storage searches',
  search_units: 'search units',
  pages: 'pages',
  audio_seconds: 'audio seconds',
  characters: 'characters',
  request: 'request fee',
  other: 'not by token',
}

export const unitName = (unit: LineUnit | 'other') => UNITS[unit] ?? unit

/** In the order of receipts. */
export const TOKEN_CLASSES: TokenClass[] = [
  'input',
  'cache_read',
  'cache_write',
  'cache_write_1h',
  'audio_in',
  'cache_read_audio',
  'image_in',
  'video_in',
  'output',
  'reasoning',
  'audio_out',
  'image_out',
]

export const KINDS: FrameKind[] = ['request', 'workflow', 'agent', 'tool', 'step', 'model']

export const kindColour = (kind: FrameKind | 'all') => `var(--kind-${kind}-1)`
