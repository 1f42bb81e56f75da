import { memberIndex } from '../charter/round-context.ts'
import type { Draft } from '../state/draft.ts'
import type { PeerState } from '../state/state.ts'

/**
 * Delays that a member saw in its latest rounds, milliseconds by its own clock, oldest first: what its deadlines follow
 * (rule 5 *Vote*). They are no part of what members agree on; each has its own.
 */
export interface Delays {
  /** From the start of the decided view to the own prevote for its cut. */
  readonly proposal: readonly number[]
  /** The longer one of: own prevote to own precommit, own precommit to the commit. */
  readonly vote: readonly number[]
  /** From the start of `gathering` to the last certificate before the commit. */
  readonly gather: readonly number[]
  /** From f + 1 readies to the last certificate before the commit. */
  readonly grace: readonly number[]
  /** How often the time to gather has been doubled, since more came too late than can be faulty. */
  readonly doubled: number
}

/** What a member that has seen nothing yet goes by: the charter alone. */
export const NO_DELAYS: Delays = { proposal: [], vote: [], gather: [], grace: [], doubled: 0 }

/** Rounds that are remembered. */
const ROUNDS_SEEN = 8
/** How far a time of the charter is moved, at most, to follow the delays that were seen. */
const DEADLINE_RANGE = 8
/** Rounds that have to have been seen before gathering takes less time than the charter gives. */
const GATHERED_MIN = 3
/** 8 times the charter's value. */
const DOUBLED_MAX = 3

/** The charter's times, moved to what was seen; a view's timers grow from these (rule 5). */
export function deadlinesOf({ context, delays }: Pick<PeerState, 'context' | 'delays'>) {
  const { gatherMs, graceMs, proposeMs, voteMs } = context.charter.timeouts
  return {
    gatherMs: gatherDeadline(gatherMs, delays.gather, delays.doubled),
    graceMs: gatherDeadline(graceMs, delays.grace, delays.doubled),
    proposeMs: voteTimeout(proposeMs, delays.proposal),
    voteMs: voteTimeout(voteMs, delays.vote)
  }
}

/**
 * How long a vote is waited for, from the charter's time and the delays of the latest rounds: the median, so that fewer
 * than half of the proposers cannot stretch it; what it misses, the growth within the round makes up for.
 */
export function voteTimeout(set: number, seen: readonly number[]): number {
  if (seen.length === 0) return set
  return Math.min(Math.max(4 * lowerMedian(seen), set / DEADLINE_RANGE), set * DEADLINE_RANGE)
}

/**
 * How long certificates are waited for, from the charter's time and the delays of the latest rounds: the longest, so that
 * nobody who kept up is cut off.
 */
export function gatherDeadline(set: number, seen: readonly number[], doubled: number): number {
  const longest = set * 2 ** doubled
  if (seen.length < GATHERED_MIN) return longest
  return Math.min(Math.max(2 * Math.max(...seen), set / DEADLINE_RANGE), longest)
}

/** Of an even number the lower one. */
function lowerMedian(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor((values.length - 1) / 2)]!
}

/** Notes when something happened in this round for the first time; without a clock nothing is noted. */
export function noteMoment(draft: Draft, moment: string): void {
  if (draft.now === undefined || draft.moments.has(moment)) return
  draft.moments = new Map(draft.moments).set(moment, draft.now)
}

/** Notes that a certificate came: the last one before the commit counts. */
export function noteCertificate(draft: Draft): void {
  if (draft.now === undefined || draft.committed !== undefined) return
  draft.moments = new Map(draft.moments).set('certified', draft.now)
}

/**
 * At the commit, takes what this round showed into account for the next ones. Where a trainer is there (it said
 * something) but not in the cut, nothing tells how long it would have needed: gathering goes back to the charter's times.
 * Where that is so of more manifests than can be faulty members', those times are too short here, and are doubled.
 */
export function noteDelays(draft: Draft): void {
  const { now, moments, view, delays } = draft
  if (now === undefined) return
  const since = (from: string, to = now) => {
    const start = moments.get(from)
    return start === undefined ? [] : [Math.max(0, to - start)]
  }
  const certified = moments.get('certified')
  const prevoted = moments.get(`prevoted/${view}`)
  const precommitted = moments.get(`precommitted/${view}`)
  const votes =
    prevoted === undefined || precommitted === undefined
      ? []
      : [Math.max(0, precommitted - prevoted, now - precommitted)]
  const { isComplete, late } = missing(draft)
  const gathered = (from: string, before: readonly number[]) => {
    if (!isComplete) return []
    return latest([...before, ...(certified === undefined ? [] : since(from, certified))])
  }
  draft.delays = {
    proposal: latest([
      ...delays.proposal,
      ...(prevoted === undefined ? [] : since(`view/${view}`, prevoted))
    ]),
    vote: latest([...delays.vote, ...votes]),
    gather: gathered('gathering', delays.gather),
    grace: gathered('readies', delays.grace),
    doubled:
      late > draft.context.faulty
        ? Math.min(delays.doubled + 1, DOUBLED_MAX)
        : Math.max(0, delays.doubled - 1)
  }
}

function latest(seen: readonly number[]): readonly number[] {
  return seen.slice(-ROUNDS_SEEN)
}

/** Whether every trainer that said anything is in the cut, and how many are not whose manifest is here. */
function missing({ context, committed, messages }: Draft): { isComplete: boolean; late: number } {
  const stacked = new Set((committed?.cut.entries ?? []).map(({ author }) => memberIndex(context, author)))
  const absent = context.trainers.filter((trainer) => !stacked.has(trainer))
  return {
    isComplete: !absent.some((trainer) => [...messages.values()].some((slot) => slot.has(trainer))),
    late: absent.filter((trainer) => messages.get('manifest/0')?.has(trainer)).length
  }
}
