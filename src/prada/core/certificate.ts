import { decide, type ScaledId } from './decide.ts'
import { NOISE_MAX } from './gumbel-noise.ts'
import { drawnBound, type KnownScores, knownScores, otherMass, SUM_SLACK, wholeRow } from './known-scores.ts'
import type { PartialRow } from './remote-row.ts'
import { goesBefore, isFiltered, noiseOf, type Scoring, scaledScore } from './scoring.ts'

/** What a partial row decides. */
export type Verdict =
  | { readonly kind: 'certain'; readonly id: number }
  | {
      readonly kind: 'uncertain'
      /**
       * The known id with the highest score, which is the most likely answer; undefined if no known id has a nonzero
       * probability.
       */
      readonly guess: number | undefined
      /** Ids that could still win, highest bound first. */
      readonly rivals: readonly number[]
      /** Whether the filters' result is still undetermined; if so, the value of any id may matter. */
      readonly borderOpen: boolean
    }

/** A known id that the filters may or may not keep. */
type Membership = 'in' | 'out' | 'maybe'

/** The possible positions of the cut-off that the filters make. */
interface Border {
  /** Whether the filters keep the known id of this rank. */
  ofKnown(rank: number): Membership
  /** Whether the filters may keep an unreported id whose scaled score is at most `scaled`. */
  admits(other: ScaledId): boolean
}

const NO_BORDER: Border = { ofKnown: () => 'in', admits: () => true }

/**
 * Decides a position from part of its remote row. `certain` means that `decide` would return the same id for the whole
 * row, whatever the missing values are. `knownScores` explains why the bounds hold.
 */
export function judge(row: PartialRow, scoring: Scoring): Verdict {
  const whole = wholeRow(row, scoring.offset.length)
  if (whole !== undefined) return { kind: 'certain', id: decide(whole, scoring) }
  const scores = knownScores(row, scoring)
  const border = isFiltered(scoring.settings) ? borderOf(scores, scoring, row.tail) : NO_BORDER
  const noise = noiseOf(scoring)
  const most = scoring.settings.temperature === 0 ? 0 : NOISE_MAX

  let best: ScaledId | undefined
  let guess: ScaledId | undefined
  const maybes: ScaledId[] = []
  for (const [rank, { id, scaled }] of scores.known.entries()) {
    const membership = border.ofKnown(rank)
    if (membership === 'out') continue
    const score = scaled + noise(id)
    if (guess === undefined || goesBefore(score, id, guess.scaled, guess.id)) guess = { id, scaled: score }
    if (membership === 'maybe') maybes.push({ id, scaled: score })
    else if (best === undefined || goesBefore(score, id, best.scaled, best.id)) best = { id, scaled: score }
  }
  const beats = (score: number, id: number): boolean =>
    best === undefined || goesBefore(score, id, best.scaled, best.id)
  const rivals: ScaledId[] = []
  for (const other of scores.others) {
    if (best !== undefined && other.scaled + most < best.scaled) continue
    const drawn = drawnBound(scores.drawBound, scoring, other.id)
    if ((best !== undefined && drawn < best.scaled) || !border.admits(other)) continue
    const score = Math.min(other.scaled + noise(other.id), drawn)
    if (beats(score, other.id)) rivals.push({ id: other.id, scaled: score })
  }
  rivals.sort(byScore)
  const unsettled = maybes.some(({ id, scaled }) => beats(scaled, id))
  if (best !== undefined && rivals.length === 0 && !unsettled) return { kind: 'certain', id: best.id }
  return {
    kind: 'uncertain',
    guess: guess?.id,
    rivals: rivals.map(({ id }) => id),
    borderOpen: unsettled || best === undefined
  }
}

function byScore(a: ScaledId, b: ScaledId): number {
  return b.scaled - a.scaled || a.id - b.id
}

/**
 * The cut-off of top-k, top-p and min-p as far as it is known. Each filter keeps a prefix of the ids in score order, so
 * each comes down to what may precede an id.
 */
function borderOf(scores: KnownScores, scoring: Scoring, tail: number): Border {
  const { known } = scores
  const first = known[0]
  if (first === undefined) return { ofKnown: () => 'maybe', admits: () => true }
  const borders = [
    topKBorder(scores, scoring),
    topPBorder(scores, scoring, tail),
    minPBorder(scores, scoring)
  ]
  return {
    ofKnown(rank) {
      const memberships = borders.map((border) => border.ofKnown(rank))
      if (memberships.includes('out')) return 'out'
      return memberships.includes('maybe') ? 'maybe' : 'in'
    },
    admits: (other) => borders.every((border) => border.admits(other))
  }
}

/** Number of known ids that certainly precede an id whose scaled score is at most `scaled`. */
function knownBefore(known: readonly ScaledId[], { id, scaled }: ScaledId): number {
  let [low, high] = [0, known.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const there = known[middle]!
    if (goesBefore(there.scaled, there.id, scaled, id)) low = middle + 1
    else high = middle
  }
  return low
}

/** For every known rank, how many unreported ids may precede it. */
function othersBefore({ known, others }: KnownScores): Uint32Array {
  const counts = new Uint32Array(known.length + 1)
  for (const other of others) counts[knownBefore(known, other)]!++
  for (let rank = 1; rank <= known.length; rank++) counts[rank]! += counts[rank - 1]!
  return counts
}

function topKBorder(scores: KnownScores, { settings: { topK } }: Scoring): Border {
  if (topK === undefined) return NO_BORDER
  const counts = othersBefore(scores)
  return {
    ofKnown(rank) {
      if (rank >= topK) return 'out'
      return rank + counts[rank]! < topK ? 'in' : 'maybe'
    },
    admits: (other) => knownBefore(scores.known, other) < topK
  }
}

/**
 * Top-p keeps an id while the ids before it have less than p of the total. Let A be the known mass before it, a the
 * mass of unreported ids before it, Z the known total and z the total of all unreported ids (0 ≤ a ≤ z ≤ B). The id is
 * in if A + a < p (Z + z) for the worst case a = z, and out if A ≥ p (Z + B).
 */
function topPBorder(scores: KnownScores, scoring: Scoring, tail: number): Border {
  const { topK, topP = 1 } = scoring.settings
  if (topP === 1) return NO_BORDER
  const { known } = scores
  const reference = known[0]!.scaled
  const counts = othersBefore(scores)
  const limited = topK !== undefined && topK <= known.length
  // The total covers the ids that top-k keeps. They are known if no unreported id can be among them.
  if (topK !== undefined && !(limited && counts[topK - 1] === 0) && scores.others.length > 0)
    return { ofKnown: () => 'maybe', admits: () => true }
  const counted = limited ? known.slice(0, topK) : known
  const before = new Float64Array(known.length + 1)
  for (const [rank, { scaled }] of known.entries())
    before[rank + 1] = before[rank]! + Math.exp(scaled - reference)
  const total = before[counted.length]!
  const mass = otherMass(scores, scoring, tail, reference)
  const outFrom = topP * (total + (limited ? 0 : mass.all)) * (1 + SUM_SLACK)
  return {
    ofKnown(rank) {
      if (before[rank]! >= outFrom) return 'out'
      const others = limited ? 0 : mass.ofHighest(counts[rank]!)
      return before[rank]! + others * (1 - topP) < topP * total * (1 - SUM_SLACK) ? 'in' : 'maybe'
    },
    admits: (other) => !limited && before[knownBefore(known, other)]! < outFrom
  }
}

function minPBorder(scores: KnownScores, scoring: Scoring): Border {
  const { minP = 0 } = scoring.settings
  if (minP === 0) return NO_BORDER
  const least = scores.known[0]!.scaled
  const most = scores.others.reduce((highest, { scaled }) => Math.max(highest, scaled), least)
  const distance = Math.log(minP)
  return {
    ofKnown(rank) {
      const { scaled } = scores.known[rank]!
      if (scaled < least + distance) return 'out'
      return scaled >= most + distance ? 'in' : 'maybe'
    },
    admits: ({ scaled }) => scaled >= least + distance
  }
}

/** An interval that contains a number. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/**
 * Log-probability of an id under the combined distribution at temperature 1, before any filter, as an interval. If the
 * row is complete, its ends are equal up to rounding.
 *
 * @returns undefined if the id's value was not reported
 */
export function logProbability(row: PartialRow, scoring: Scoring, id: number): Interval | undefined {
  const place = row.ids.indexOf(id)
  if (place < 0) return undefined
  const plain: Scoring = { ...scoring, settings: { temperature: 1 } }
  const scores = knownScores(row, plain)
  const reference = scores.known[0]?.scaled ?? 0
  const knownMass = scores.known.reduce((sum, { scaled }) => sum + Math.exp(scaled - reference), 0)
  const most = otherMass(scores, plain, row.tail, reference).all
  const own = scaledScore(plain, row.values[place]!, id) - reference
  return { low: own - Math.log(knownMass + most), high: own - Math.log(knownMass) }
}
