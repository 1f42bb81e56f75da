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
      /** The best of the known ids, the likeliest answer; undefined where none has a probability. */
      readonly guess: number | undefined
      /** Ids that could win, those with the highest bounds first. */
      readonly rivals: readonly number[]
      /** Whether it is open what the filters leave: any id's value may matter then. */
      readonly borderOpen: boolean
    }

/** A known id that a filter may or may not leave. */
type Membership = 'in' | 'out' | 'maybe'

/** Where the border that the filters draw can lie. */
interface Border {
  /** Membership of the known id of this rank. */
  ofKnown(rank: number): Membership
  /** Whether an id that was not told, whose scaled score is at most `scaled`, may be left. */
  admits(other: ScaledId): boolean
}

const NO_BORDER: Border = { ofKnown: () => 'in', admits: () => true }

/**
 * Decides a position from a part of its remote row: `certain` means that `decide` on the whole row would give that id,
 * whatever the missing values are. See `knownScores` for why the bounds hold.
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
 * The border of top-k, top-p and min-p in what is known. All three leave a beginning of the ids in the order of their
 * scores, so that each is a question of what may go before an id.
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

/** Number of known ids that certainly go before an id whose scaled score is at most `scaled`. */
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

/** For every known rank, how many others may go before it. */
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
 * An id is left by top-p when those before it have less than p of the total. With A the known mass before it, a that of
 * others before it, Z the known total and z that of all others (0 ≤ a ≤ z ≤ B): it is in when A + a < p (Z + z) for the
 * worst a = z, and out when A ≥ p (Z + B).
 */
function topPBorder(scores: KnownScores, scoring: Scoring, tail: number): Border {
  const { topK, topP = 1 } = scoring.settings
  if (topP === 1) return NO_BORDER
  const { known } = scores
  const reference = known[0]!.scaled
  const counts = othersBefore(scores)
  const limited = topK !== undefined && topK <= known.length
  // The total is that of top-k's ids, which are known where no other id can be among them.
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

/** An interval that a number lies in. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/**
 * Log-probability of an id under the combined distribution at temperature 1, before any filter: an interval whose ends
 * are equal, apart from rounding, where the row is whole.
 *
 * @returns undefined where the id's value was not told
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
