// Everything a page shows is decided by its address: this file alone reads and writes it.
//
// Filters are written as the API takes them: model=gpt-5&user!=load-test.

import { QUICK_RANGES, COMPARISONS, type Comparison, type QuickRange, type Range } from './range.ts'
import { validZone } from './time.ts'
import type { Dimension, FilterKey, Interval, Metric, TokenClass } from './api/types.ts'
import { TOKEN_CLASSES } from './names.ts'

export interface Filter {
  key: FilterKey
  not: boolean
  /** Empty = absent. */
  value: string
}

export type Page =
  | 'overview'
  | 'flamegraph'
  | 'traces'
  | 'trace'
  | 'calls'
  | 'attribution'
  | 'prompts'
  | 'models'
  | 'live'
  | 'health'
  | 'access'
  | 'login'
  | 'lost'
/** What frames are coloured by. */
export const COLOURS = ['kind', 'service', 'model', 'change'] as const
export type Colour = (typeof COLOURS)[number]
export type Order = 'desc' | 'asc'

export interface View {
  page: Page
  /** Of page trace. */
  traceId: string
  /** Whose data, for who may enter several projects; null = the one they are in without it. */
  project: string | null
  /** Of page login: the address of the page that comes after it. */
  to: string
  range: Range
  /** null = the browser's zone. */
  tz: string | null
  filters: Filter[]
  compare: Comparison
  /** What replaces the filters of the same keys on the other side; then both sides have the same range. */
  baseFilters: Filter[]
  /** Overview: what the bars are stacked by, and how wide they are (null = by the range's length). */
  by: Dimension
  every: Interval | null
  /** Attribution: to what. */
  dimension: Dimension
  /** Flamegraph. */
  metric: Metric
  /** Only this class of tokens. */
  tokenClass: TokenClass | null
  zoom: string | null
  search: string
  show: 'both' | 'graph' | 'table' | 'sandwich'
  /** Against the range of `compare`, frame by frame. */
  diff: boolean
  /** In a diff: the other side brought to as many traces as this one has. */
  perTrace: boolean
  /** null = by change in a difference, else by kind. */
  colour: Colour | null
  /** Frames below one of their own name are added to that one. */
  collapse: boolean
  /** Root at the bottom. */
  upward: boolean
  /** Main table: column and direction; null = the page's default. */
  sort: string | null
  order: Order
  /** Trace: the selected span. */
  span: string | null
  /** Prompts: the chosen row. */
  pick: string | null
}

export const FILTER_KEYS = [
  'model',
  'provider',
  'service',
  'environment',
  'feature',
  'agent',
  'tool',
  'operation',
  'user',
  'session',
  'prompt',
  'path',
  'status',
  'counted',
  'flag',
  'unpriced',
  'fingerprint',
] as const satisfies readonly FilterKey[]

export const BY_KEYS = [
  'model',
  'provider',
  'service',
  'environment',
  'feature',
  'agent',
  'tool',
  'operation',
  'user',
] as const satisfies readonly Dimension[]

/** What cost is attributed to, in the order in which one leads to the next. */
export const ATTRIBUTION_KEYS = [
  'feature',
  'service',
  'environment',
  'user',
  'session',
  'agent',
  'tool',
  'operation',
  'provider',
  'model',
  'prompt',
] as const satisfies readonly Dimension[]

const DEFAULTS: View = {
  page: 'overview',
  traceId: '',
  project: null,
  to: '/',
  range: '30d',
  tz: null,
  filters: [],
  compare: 'previous',
  baseFilters: [],
  by: 'model',
  every: null,
  dimension: 'feature',
  metric: 'cost',
  tokenClass: null,
  zoom: null,
  search: '',
  show: 'both',
  diff: false,
  perTrace: false,
  colour: null,
  collapse: false,
  upward: false,
  sort: null,
  order: 'desc',
  span: null,
  pick: null,
}

const PATHS: Record<string, Page> = {
  '/': 'overview',
  '/flamegraph': 'flamegraph',
  '/traces': 'traces',
  '/calls': 'calls',
  '/attribution': 'attribution',
  '/prompts': 'prompts',
  '/models': 'models',
  '/live': 'live',
  '/health': 'health',
  '/access': 'access',
  '/login': 'login',
}
const TRACE_PATH = /^\/traces\/([0-9a-f]{32})$/

const isFilterKey = (key: string): key is FilterKey =>
  (FILTER_KEYS as readonly string[]).includes(key) || (key.startsWith('tag.') && key.length > 4)

function oneOf<T extends string>(text: string | null, choices: readonly T[], otherwise: T): T {
  return choices.includes(text as T) ? (text as T) : otherwise
}

function dimensionOf(text: string | null): Dimension {
  if (text?.startsWith('tag.') && text.length > 4) return text as Dimension
  return oneOf<Dimension>(text, ATTRIBUTION_KEYS, DEFAULTS.dimension)
}

function parseInstant(text: string | null): number | null {
  if (!text) return null
  const ms = /^-?\d+$/.test(text) ? Number(text) : Date.parse(text)
  return Number.isFinite(ms) && Math.abs(ms) < 8e15 ? ms : null
}

function parseRange(query: URLSearchParams): Range {
  const from = parseInstant(query.get('from'))
  const to = parseInstant(query.get('to'))
  if (from !== null && to !== null && from < to) return { from, to }
  return oneOf(query.get('range'), Object.keys(QUICK_RANGES) as QuickRange[], DEFAULTS.range as QuickRange)
}

const BASE = 'base.'

/** Filters whose names begin with `prefix`. */
function parseFilters(query: URLSearchParams, prefix = ''): Filter[] {
  const filters: Filter[] = []
  for (const [name, value] of query) {
    const not = name.endsWith('!')
    const key = name.slice(prefix.length, not ? -1 : undefined)
    if (!name.startsWith(prefix)) continue
    if (!isFilterKey(key)) continue
    if (filters.some((f) => f.key === key && f.not === not && f.value === value)) continue
    filters.push({ key, not, value })
  }
  return filters
}

/** An address of this place, never of another one. */
function placeHere(address: string | null): string {
  // Browsers leave out tabs and line ends: with them it could begin with two slashes after all.
  return address && /^\/(?![/\\])\S*$/.test(address) ? address : '/'
}

/** Reads an address; what it does not understand falls back to the default. */
export function parse(pathname: string, search: string): View {
  const query = new URLSearchParams(search)
  const path = pathname.length > 1 ? pathname.replace(/\/$/, '') : pathname
  const trace = TRACE_PATH.exec(path)
  const tz = query.get('tz')
  return {
    page: trace ? 'trace' : (PATHS[path] ?? 'lost'),
    traceId: trace?.[1] ?? '',
    project: query.get('project') || null,
    to: placeHere(query.get('to')),
    range: parseRange(query),
    tz: tz && validZone(tz) ? tz : null,
    filters: parseFilters(query),
    compare: oneOf(query.get('compare'), Object.keys(COMPARISONS) as Comparison[], DEFAULTS.compare),
    by: oneOf<Dimension>(query.get('by'), BY_KEYS, DEFAULTS.by),
    every: oneOf<Interval | ''>(query.get('every'), ['15min', 'hour', 'day', 'week', 'month'], '') || null,
    dimension: dimensionOf(query.get('dimension')),
    baseFilters: parseFilters(query, BASE),
    metric: oneOf(query.get('metric'), ['cost', 'tokens', 'calls', 'duration'], DEFAULTS.metric),
    tokenClass: oneOf<TokenClass | ''>(query.get('class'), TOKEN_CLASSES, '') || null,
    zoom: query.get('zoom') || null,
    search: query.get('q') ?? '',
    show: oneOf(query.get('show'), ['both', 'graph', 'table', 'sandwich'], DEFAULTS.show),
    diff: query.get('diff') === '1',
    perTrace: query.get('per') === 'trace',
    colour: oneOf<Colour | ''>(query.get('colour'), COLOURS, '') || null,
    collapse: query.get('recursion') === 'collapsed',
    upward: query.get('root') === 'bottom',
    sort: query.get('sort') || null,
    order: oneOf(query.get('order'), ['desc', 'asc'], DEFAULTS.order),
    span: query.get('span') || null,
    pick: query.get('pick') || null,
  }
}

/** The parts of a view that every page shares; links between pages keep these. */
export function shared(view: View): View {
  const { project, range, tz, filters, compare } = view
  return { ...DEFAULTS, project, range, tz, filters, compare }
}

/** The address of a view, shortest form: defaults are left out. */
export function format(view: View): string {
  const query = new URLSearchParams()
  if (view.page === 'login')
    return view.to === '/' ? '/login' : `/login?${new URLSearchParams({ to: view.to })}`
  if (view.project) query.set('project', view.project)
  if (typeof view.range === 'object') {
    query.set('from', instant(view.range.from))
    query.set('to', instant(view.range.to))
  } else if (view.range !== DEFAULTS.range) query.set('range', view.range)
  appendFilters(query, view.filters)
  appendFilters(query, view.baseFilters, BASE)
  const set = (name: string, value: string | null, otherwise: string | null) => {
    if (value !== otherwise && value !== null) query.set(name, value)
  }
  set('tz', view.tz, null)
  set('compare', view.compare, DEFAULTS.compare)
  set('by', view.by, DEFAULTS.by)
  set('every', view.every, null)
  set('dimension', view.dimension, DEFAULTS.dimension)
  set('metric', view.metric, DEFAULTS.metric)
  set('class', view.tokenClass, null)
  set('zoom', view.zoom, null)
  set('q', view.search, '')
  set('show', view.show, DEFAULTS.show)
  if (view.diff) query.set('diff', '1')
  if (view.perTrace) query.set('per', 'trace')
  set('colour', view.colour, null)
  if (view.collapse) query.set('recursion', 'collapsed')
  if (view.upward) query.set('root', 'bottom')
  set('sort', view.sort, null)
  set('order', view.order, DEFAULTS.order)
  set('span', view.span, null)
  set('pick', view.pick, null)
  const text = query.toString().replaceAll('%21=', '!=')
  return path(view) + (text ? `?${text}` : '')
}

function path(view: View): string {
  if (view.page === 'trace') return `/traces/${view.traceId}`
  return view.page === 'overview' || view.page === 'lost' ? '/' : `/${view.page}`
}

/** Without milliseconds when there are none. */
const instant = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z')

/** Query parameters for the API: range, zone and filters. */
export function apiQuery(span: { from: number; to: number }, tz: string, filters: Filter[]): URLSearchParams {
  const query = new URLSearchParams({ from: instant(span.from), to: instant(span.to), tz })
  appendFilters(query, filters)
  return query
}

function appendFilters(query: URLSearchParams, filters: Filter[], prefix = '') {
  for (const { key, not, value } of filters) query.append(`${prefix}${key}${not ? '!' : ''}`, value)
}

/** Filters alone, as the API takes them. */
export function filterQuery(filters: Filter[]): URLSearchParams {
  const query = new URLSearchParams()
  appendFilters(query, filters)
  return query
}

/** The parameters of the API that replace filters on the other side of a difference. */
export function baseQuery(filters: Filter[]): string {
  const query = new URLSearchParams()
  appendFilters(query, filters, BASE)
  return query.size ? `&${query}` : ''
}

/** The filters with those of the same keys replaced. */
export function replaced(filters: Filter[], by: Filter[]): Filter[] {
  return [...filters.filter((f) => !by.some((b) => b.key === f.key)), ...by]
}
