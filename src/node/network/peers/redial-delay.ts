const FIRST_DELAY_MS = 250
const LAST_DELAY_MS = 20_000
/** For configured addresses: a peer waiting to be admitted should not wait long for the next dial. */
const LAST_PINNED_DELAY_MS = 5_000

/**
 * Delay before a peer is dialled again, milliseconds, before jitter.
 *
 * @param failures consecutive failed dials
 * @param isPinned whether its address is configured
 */
export function redialDelay(failures: number, isPinned: boolean): number {
  const most = isPinned ? LAST_PINNED_DELAY_MS : LAST_DELAY_MS
  return Math.min(most, FIRST_DELAY_MS * 2 ** Math.min(failures, 10))
}
