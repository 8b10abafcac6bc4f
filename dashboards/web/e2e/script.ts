// Script time from a trace of the browser: of the processor, so that other programs on the machine do not count. Pauses
// to collect garbage, which the browser takes when it likes, stand apart.

export interface TraceEvent {
  name: string
  ph: string
  /** Microseconds. */
  ts: number
  dur?: number
  /** Microseconds of the thread's own time within `dur`. */
  tdur?: number
  pid: number
  tid: number
  args?: { data?: { type?: string } }
}

export const CATEGORIES = ['devtools.timeline', 'v8', 'blink.user_timing']

const SCRIPT = new Set([
  'EventDispatch',
  'FireAnimationFrame',
  'FireIdleCallback',
  'FunctionCall',
  'RunMicrotasks',
  'TimerFire',
])

const PAUSES = new Set(['MajorGC', 'MinorGC'])

/** Events of these names that are in no other one, in order, of the thread that draws. */
function outermost(events: TraceEvent[], names: Set<string>): TraceEvent[] {
  const drawn = events.find((e) => e.name === 'FireAnimationFrame')
  const own = events
    .filter((e) => e.ph === 'X' && names.has(e.name) && e.pid === drawn?.pid && e.tid === drawn.tid)
    .sort((a, b) => a.ts - b.ts || b.dur! - a.dur!)
  let end = 0
  return own.filter((e) => {
    if (e.ts < end) return false
    end = e.ts + e.dur!
    return true
  })
}

/** Runs of script, without the pauses within them. */
function slices(events: TraceEvent[]): TraceEvent[] {
  const pauses = outermost(events, PAUSES)
  return outermost(events, SCRIPT).map((e) => {
    const within = pauses.filter((pause) => pause.ts >= e.ts && pause.ts < e.ts + e.dur!)
    return { ...e, tdur: within.reduce((rest, pause) => rest - pause.tdur!, e.tdur!) }
  })
}

/** Milliseconds of each pause to collect garbage. */
export function pauses(events: TraceEvent[]): number[] {
  return outermost(events, PAUSES).map((e) => e.tdur! / 1000)
}

/** A browser that has nothing to run for so long, in microseconds, has drawn what there was to draw. */
const FRAME = 16_000

/**
 * Milliseconds of script of each frame: what ran since the frame before, its own drawing included, and all that runs
 * close together where nothing is drawn. Free moments the browser gave away count too.
 */
export function perFrame(events: TraceEvent[]): number[] {
  const frames: number[] = []
  let sum = 0
  let end = -Infinity
  const finish = () => {
    if (sum) frames.push(sum)
    sum = 0
  }
  for (const slice of slices(events)) {
    if (slice.ts - end > FRAME) finish()
    sum += slice.tdur! / 1000
    end = slice.ts + slice.dur!
    if (slice.name === 'FireAnimationFrame') finish()
  }
  finish()
  return frames
}

/** Milliseconds of script from each event of a type until the frame that shows its effect is drawn. */
export function perEvent(type: string): (events: TraceEvent[]) => number[] {
  return (events) => {
    const each: number[] = []
    let sum: number | null = null
    for (const slice of slices(events)) {
      if (slice.args?.data?.type === type) sum = 0
      if (sum === null || slice.name === 'FireIdleCallback') continue
      sum += slice.tdur! / 1000
      if (slice.name !== 'FireAnimationFrame') continue
      each.push(sum)
      sum = null
    }
    return each
  }
}
