/** Lets text through up to the first stop string. */
export interface StopFilter {
  /** The part of the text that can no longer belong to a stop string. Nothing comes after a stop. */
  push(text: string): string
  /** Whether a stop string was found. */
  readonly stopped: boolean
  /** What was held back, when the text ends without a stop. */
  flush(): string
}

/** A filter for a text that comes in pieces: a stop string may lie across several. */
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
      const found = wanted.map((stop) => held.indexOf(stop)).filter((place) => place >= 0)
      const end = found.length > 0 ? Math.min(...found) : held.length - longestBeginning(held, wanted)
      stopped = found.length > 0
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

/** Length of the longest end of `text` that a stop string begins with. */
function longestBeginning(text: string, stops: readonly string[]): number {
  let longest = 0
  for (const stop of stops)
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--)
      if (text.endsWith(stop.slice(0, length))) longest = length
  return longest
}
