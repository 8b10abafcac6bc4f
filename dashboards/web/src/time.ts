// Calendar arithmetic in any time zone, by the platform's own tables.

const HOUR = 3_600_000
export const DAY = 24 * HOUR

export interface Local {
  year: number
  /** 1 to 12 */
  month: number
  day: number
  hour: number
  minute: number
  second: number
}

const formats = new Map<string, Intl.DateTimeFormat>()

function partsFormat(tz: string): Intl.DateTimeFormat {
  let format = formats.get(tz)
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: tz,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    formats.set(tz, format)
  }
  return format
}

export function validZone(tz: string): boolean {
  try {
    partsFormat(tz)
    return true
  } catch {
    return false
  }
}

/** The zone of the browser. */
export function browserZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
}

/** What a clock in `tz` shows at `ms`. */
export function toLocal(ms: number, tz: string): Local {
  const shown = new Date(ms + offset(ms, tz))
  return {
    year: shown.getUTCFullYear(),
    month: shown.getUTCMonth() + 1,
    day: shown.getUTCDate(),
    hour: shown.getUTCHours(),
    minute: shown.getUTCMinutes(),
    second: shown.getUTCSeconds(),
  }
}

/** Clocks are put forward and back at whole quarters of an hour. */
const QUARTER = HOUR / 4
/** The platform takes long to answer: what it said of a zone and a quarter of an hour is kept. */
const offsets = new Map<string, number>()
const KEPT = 20_000

/** What a clock in `tz` is ahead of UTC at `ms`. */
function offset(ms: number, tz: string): number {
  const quarter = Math.floor(ms / QUARTER)
  const key = `${quarter} ${tz}`
  const known = offsets.get(key)
  if (known !== undefined) return known
  if (offsets.size >= KEPT) offsets.clear()
  const ahead = askOffset(quarter * QUARTER, tz)
  offsets.set(key, ahead)
  return ahead
}

function askOffset(ms: number, tz: string): number {
  const l = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 }
  for (const { type, value } of partsFormat(tz).formatToParts(ms)) {
    if (type in l) l[type as keyof Local] = Number(value)
  }
  return Date.UTC(l.year, l.month - 1, l.day, l.hour, l.minute, l.second) - ms
}

/** The instant at which a clock in `tz` shows this time. In a gap the later reading holds, in a fold the earlier. Fields may overflow (day 0, month 13). */
export function fromLocal(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  tz: string,
): number {
  const wanted = Date.UTC(year, month - 1, day, hour, minute)
  const before = wanted - offset(wanted - DAY, tz)
  const after = wanted - offset(wanted + DAY, tz)
  const [earlier, later] = before < after ? [before, after] : [after, before]
  for (const ms of [earlier, later]) if (ms + offset(ms, tz) === wanted) return ms
  return before
}

export function startOfDay(ms: number, tz: string, addDays = 0): number {
  const l = toLocal(ms, tz)
  return fromLocal(l.year, l.month, l.day + addDays, 0, 0, tz)
}

/** Monday of the week of `ms`. */
export function startOfWeek(ms: number, tz: string, addWeeks = 0): number {
  const l = toLocal(ms, tz)
  const weekday = (new Date(Date.UTC(l.year, l.month - 1, l.day)).getUTCDay() + 6) % 7
  return fromLocal(l.year, l.month, l.day - weekday + 7 * addWeeks, 0, 0, tz)
}

export function startOfMonth(ms: number, tz: string, addMonths = 0): number {
  const l = toLocal(ms, tz)
  return fromLocal(l.year, l.month + addMonths, 1, 0, 0, tz)
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const LONG_MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

const two = (n: number) => n.toString().padStart(2, '0')

export const monthName = (month: number) => LONG_MONTHS[month - 1]!

export function weekday(ms: number, tz: string): string {
  const l = toLocal(ms, tz)
  return WEEKDAYS[new Date(Date.UTC(l.year, l.month - 1, l.day)).getUTCDay()]!
}

/** "19 Nov" or "19 Nov 2025" */
export function dayText(ms: number, tz: string, withYear = false): string {
  const l = toLocal(ms, tz)
  return `${l.day} ${MONTHS[l.month - 1]}${withYear ? ` ${l.year}` : ''}`
}

/** "Thu 19 Nov" */
export const weekdayText = (ms: number, tz: string) => `${weekday(ms, tz)} ${dayText(ms, tz)}`

/** "14:02" */
export function clockText(ms: number, tz: string): string {
  const l = toLocal(ms, tz)
  return `${two(l.hour)}:${two(l.minute)}`
}

/** "Thu 19 Nov 2026, 14:02:11.284" */
export function fullText(ms: number, tz: string): string {
  const l = toLocal(ms, tz)
  const millis = (((ms % 1000) + 1000) % 1000).toString().padStart(3, '0')
  return `${weekday(ms, tz)} ${dayText(ms, tz, true)}, ${two(l.hour)}:${two(l.minute)}:${two(l.second)}.${millis}`
}

/** A half-open range in few words: "1 – 22 Nov 2026", "28 Oct – 3 Nov 2026", "19 Nov 2026, 14:00 – 15:30". */
export function rangeText(from: number, to: number, tz: string, withYear = true): string {
  const wholeDays = startOfDay(from, tz) === from
  const last = to - 1
  const a = toLocal(from, tz)
  const b = toLocal(last, tz)
  const sameDay = a.year === b.year && a.month === b.month && a.day === b.day
  if (sameDay && !(wholeDays && to >= startOfDay(from, tz, 1))) {
    return `${dayText(from, tz, withYear)}, ${clockText(from, tz)} – ${clockText(to, tz)}`
  }
  if (sameDay) return dayText(from, tz, withYear)
  const end = dayText(last, tz, withYear)
  if (a.year !== b.year) return `${dayText(from, tz, true)} – ${end}`
  if (a.month !== b.month) return `${dayText(from, tz)} – ${end}`
  return `${a.day} – ${end}`
}

/** Value of an <input type="datetime-local">. */
export function inputText(ms: number, tz: string): string {
  const l = toLocal(ms, tz)
  return `${l.year.toString().padStart(4, '0')}-${two(l.month)}-${two(l.day)}T${two(l.hour)}:${two(l.minute)}`
}

/** Instant of such a value read in `tz`; null if it is no time. */
export function parseInput(text: string, tz: string): number | null {
  const m = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)/.exec(text)
  if (!m) return null
  const [year, month, day, hour, minute] = m.slice(1).map(Number) as [number, number, number, number, number]
  return fromLocal(year, month, day, hour, minute, tz)
}
