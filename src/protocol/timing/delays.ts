import type { Moments } from './moments.ts'

/**
 * Delays that a member measured in its latest rounds, in milliseconds of its own clock, oldest first. Its deadlines
 * adapt to them (rule 5 *Vote*). Each member has its own; nothing that members agree on depends on them.
 */
export interface Delays {
  /** From the start of the decided view to this member's prevote for its cut. */
  readonly proposal: readonly number[]
  /** The longer of: prevote to precommit, precommit to commit. */
  readonly vote: readonly number[]
  /** From the start of `gathering` to the last certificate before the commit. */
  readonly gather: readonly number[]
  /** From f + 1 readies to the last certificate before the commit. */
  readonly grace: readonly number[]
  /** How many times the time to gather is doubled, because more manifests came too late than can be faulty. */
  readonly doubled: number
}

/** No measurements yet: the charter's times apply. */
export const NO_DELAYS: Delays = { proposal: [], vote: [], gather: [], grace: [], doubled: 0 }

/** Number of rounds remembered. */
const ROUNDS_MAX = 8
/** 2³: gathering takes at most 8 times the charter's value. */
const DOUBLED_MAX = 3

/** A round at its commit, as one member saw it. */
export interface TimedRound {
  readonly moments: Moments
  /** The view in which the member commits. */
  readonly view: number
  /** When it commits, milliseconds by its own clock. */
  readonly now: number
  /** Whether every trainer that was heard from is in the cut. */
  readonly isComplete: boolean
  /** Whether the manifests of more trainers than can be faulty arrived and are not in the cut. */
  readonly isCutShort: boolean
}

/**
 * Adds the delays of a round being committed. If a trainer was heard from but is not in the cut, nothing shows how long
 * it would have needed, and gathering returns to the charter's times. If that holds for more manifests than can be
 * faulty, the charter's times are too short here and are doubled.
 */
export function delaysAfter(delays: Delays, round: TimedRound): Delays {
  const { moments, view, now, isComplete, isCutShort } = round
  const { began, prevoted, precommitted } = moments.views.get(view) ?? {}
  const votes =
    prevoted === undefined || precommitted === undefined
      ? []
      : [Math.max(0, precommitted - prevoted, now - precommitted)]
  const gathered = (before: readonly number[], from: number | undefined) =>
    isComplete ? latest(before, between(from, moments.certified)) : []
  return {
    proposal: latest(delays.proposal, between(began, prevoted)),
    vote: latest(delays.vote, votes),
    gather: gathered(delays.gather, moments.gathering),
    grace: gathered(delays.grace, moments.readies),
    doubled: isCutShort ? Math.min(delays.doubled + 1, DOUBLED_MAX) : Math.max(0, delays.doubled - 1)
  }
}

function between(from: number | undefined, to: number | undefined): number[] {
  return from === undefined || to === undefined ? [] : [Math.max(0, to - from)]
}

function latest(before: readonly number[], measured: readonly number[]): readonly number[] {
  return [...before, ...measured].slice(-ROUNDS_MAX)
}
