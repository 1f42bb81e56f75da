/** Passes text up to the first stop string; of several that overlap, the one that is complete first. */
export interface StopFilter {
  /** The part of the text that can no longer belong to a stop string. Nothing comes after a stop. */
  push(text: string): string
  /** Whether a stop string was found. */
  readonly stopped: boolean
  /** The text held back, if the text ends without a stop. */
  flush(): string
}

/** Creates a filter for a text in pieces; a stop string may span several. */
export function createStopFilter(stops: readonly string[]): StopFilter {
  const wanted = stops.filter((stop) => stop !== '')
  let held = ''
  let stopped = false
  return {
    get stopped() {
      return stopped
    },
    push(text) {
      if (stopped) return ''
      held += text
      const found = firstStop(held, wanted)
      const end = found ?? held.length - longestBeginning(held, wanted)
      stopped = found !== undefined
      const through = held.slice(0, end)
      held = stopped ? '' : held.slice(end)
      return through
    },
    flush() {
      const rest = held
      held = ''
      return rest
    }
  }
}

/**
 * Where the first stop string begins: the one that is complete first, so that the result does not depend on the pieces.
 * Of several that end at the same place, the longest.
 */
function firstStop(text: string, stops: readonly string[]): number | undefined {
  let first: { readonly begin: number; readonly end: number } | undefined
  for (const stop of stops) {
    const begin = text.indexOf(stop)
    const end = begin + stop.length
    if (begin < 0) continue
    if (first === undefined || end < first.end || (end === first.end && begin < first.begin))
      first = { begin, end }
  }
  return first?.begin
}

/** Length of the longest suffix of `text` that is a prefix of a stop string. */
function longestBeginning(text: string, stops: readonly string[]): number {
  let longest = 0
  for (const stop of stops)
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--)
      if (text.endsWith(stop.slice(0, length))) longest = length
  return longest
}
