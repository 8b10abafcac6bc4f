// Script time from a trace of the browser: of the processor, so that other programs on the machine do not count.

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
  'MajorGC',
  'MinorGC',
  'RunMicrotasks',
  'TimerFire',
])

/** Runs of script that are in no other one, in order, of the thread that draws. */
function slices(events: TraceEvent[]): TraceEvent[] {
  const drawn = events.find((e) => e.name === 'FireAnimationFrame')
  const script = events
    .filter((e) => e.ph === 'X' && SCRIPT.has(e.name) && e.pid === drawn?.pid && e.tid === drawn.tid)
    .sort((a, b) => a.ts - b.ts || b.dur! - a.dur!)
  let end = 0
  return script.filter((e) => {
    if (e.ts < end) return false
    end = e.ts + e.dur!
    return true
  })
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
