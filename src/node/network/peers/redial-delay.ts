const FIRST_DELAY_MS = 250
const LAST_DELAY_MS = 20_000
/** For those whose address a person gave: somebody who waits to be let in would wait for the next dial after it. */
const LAST_PINNED_DELAY_MS = 5_000

/**
 * How long to wait until a peer is dialled again, milliseconds, before jitter.
 *
 * @param failures dials in a row that came to nothing
 * @param isPinned whether a person gave its address
 */
export function redialDelay(failures: number, isPinned: boolean): number {
  const most = isPinned ? LAST_PINNED_DELAY_MS : LAST_DELAY_MS
  return Math.min(most, FIRST_DELAY_MS * 2 ** Math.min(failures, 10))
}
