import type { Charter } from '../charter/charter.ts'
import type { Delays } from './delays.ts'

/** How far a deadline may move from the charter's time, as a factor. */
const DEADLINE_RANGE = 8
/** Rounds to measure before gathering may take less time than the charter allows. */
const GATHERED_MIN = 3

/** The charter's times that follow measured delays, milliseconds; the timers of a view grow from these. */
export type Deadlines = Pick<Charter['timeouts'], 'gatherMs' | 'graceMs' | 'proposeMs' | 'voteMs'>

/** The charter's times, adapted to measured delays (`docs/spec/state-machine.md`, "Deadlines"). */
export function deadlinesAfter(
  delays: Delays,
  { gatherMs, graceMs, proposeMs, voteMs }: Deadlines
): Deadlines {
  return {
    gatherMs: gatherDeadline(gatherMs, delays.gather, delays.doubled),
    graceMs: gatherDeadline(graceMs, delays.grace, delays.doubled),
    proposeMs: voteTimeout(proposeMs, delays.proposal),
    voteMs: voteTimeout(voteMs, delays.vote)
  }
}

/**
 * How long to wait for a vote. Follows the median of the measured delays, so that fewer than half of the proposers
 * cannot stretch it; the growth within a round makes up for what the median misses.
 *
 * @param set the charter's time, milliseconds
 */
export function voteTimeout(set: number, measured: readonly number[]): number {
  if (measured.length === 0) return set
  return Math.min(Math.max(4 * lowerMedian(measured), set / DEADLINE_RANGE), set * DEADLINE_RANGE)
}

/**
 * How long to wait for certificates. Follows the longest of the measured delays, so that no member that kept up is cut
 * off.
 *
 * @param set the charter's time, milliseconds
 */
export function gatherDeadline(set: number, measured: readonly number[], doubled: number): number {
  const longest = set * 2 ** doubled
  if (measured.length < GATHERED_MIN) return longest
  return Math.min(Math.max(2 * Math.max(...measured), set / DEADLINE_RANGE), longest)
}

/** The median; for an even count the lower of the two middle values. */
function lowerMedian(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor((values.length - 1) / 2)]!
}
