import { borderIds, isFiltered, type Scoring, type Verdict, wantedIds } from '../core/index.ts'
import type { RemoteCapabilities, TripRequest } from '../remotes/remote.ts'
import type { PositionRequest } from '../wire/index.ts'
import type { PradaRequest, PradaSettings } from './options.ts'

/** What is to be asked of a position that an answer left open. */
export interface Further {
  readonly position: PositionRequest
  /** Ids to tell by rank, where more of them are wanted than of other positions. */
  readonly topK?: number
}

/** A position that an answer left open. */
export interface OpenQuestion {
  readonly further: Further
  /** Answers that left it open. */
  readonly answers: number
  /** The likeliest token. */
  readonly guess: number | undefined
}

/** Answers after which a whole row is asked for, where that is possible. */
const ANSWERS_BEFORE_ROW = 3
/** Ids asked for by rank where it is open what the filters leave, and how many times as many where it stays open. */
const BORDER_RANKS = 64
const BORDER_GROWTH = 8
/** Bytes that an id costs both ways by number (a distance going up, a float16 coming down) and by rank, about. */
const WANTED_BYTES = 3.5
const RANK_BYTES = 4

/**
 * What to ask of a position that an answer left open; undefined where the remote cannot tell more.
 *
 * @param known ids whose values are known
 * @param answers answers that left it open
 */
export function askFurther(
  { rivals, borderOpen }: Extract<Verdict, { kind: 'uncertain' }>,
  { rows, wantedMax, topKMax }: RemoteCapabilities,
  { scoring, expected }: PreparedPosition,
  known: readonly number[],
  answers: number
): Further | undefined {
  // A row that is hardly dearer settles the position for certain.
  const rowBytes = 2 * scoring.offset.length
  const byRank = borderOpen || wantedMax === 0
  const topK = byRank ? BORDER_RANKS * BORDER_GROWTH ** (answers - 1) : 0
  // With more of the likeliest ids told, most rivals go.
  const byNumber = rivals.slice(0, wantedMax === 0 ? 0 : borderOpen ? BORDER_RANKS : rivals.length)
  const bytes = byNumber.length * WANTED_BYTES + topK * RANK_BYTES
  const tooMany = byNumber.length > wantedMax || topK > topKMax
  if (rows && (2 * bytes > rowBytes || tooMany || answers >= ANSWERS_BEFORE_ROW)) return { position: 'row' }
  if (byRank && topK <= topKMax && topK < scoring.offset.length)
    return { position: ascending(byNumber.slice(0, wantedMax)), topK }
  if (wantedMax === 0) return furtherRanks(known.length, answers, topKMax)
  const border = borderOpen ? borderIds(expected, scoring, new Set(known), wantedMax) : []
  return { position: ascending([...new Set([...rivals, ...border])].slice(0, wantedMax)) }
}

/** More of the likeliest ids, where none can be asked for by number. */
function furtherRanks(known: number, answers: number, topKMax: number): Further | undefined {
  const before = BORDER_RANKS * BORDER_GROWTH ** (answers - 2)
  const topK = Math.min(topKMax, Math.max(2 * known, BORDER_RANKS * BORDER_GROWTH ** (answers - 1)))
  return before < topKMax && topK > known ? { position: [], topK } : undefined
}

function ascending(ids: readonly number[]): number[] {
  return ids.toSorted((a, b) => a - b)
}

/** All that is known of a position before the remote has answered. */
export interface PreparedPosition {
  readonly scoring: Scoring
  /** The base proxy's logits, which the remote's are expected to be like. */
  readonly expected: Float32Array
}

/** How many ids every record of a trip tells. */
export interface RankCounts {
  /** By rank. */
  readonly topK: number
  /** By what they may win; 0 where the noise is not shared. */
  readonly drawn: number
}

/**
 * Ids told by rank where those that may win are told anyway, and no filter asks which ids are the likeliest. Where one does,
 * twice the top k are told by rank, and half of it by what they may win: the border needs more than the winner.
 */
const TOP_BESIDE_DRAWN = 1

export function rankCounts(
  { topK, shareNoise }: PradaSettings,
  request: PradaRequest,
  capabilities: RemoteCapabilities
): RankCounts {
  if (topK === 'rows') return { topK: 1, drawn: 0 }
  const most = capabilities.topKMax
  if (request.temperature === 0 || !shareNoise || !capabilities.noise) return { topK, drawn: 0 }
  if (isFiltered(request)) return { topK: Math.min(2 * topK, most), drawn: Math.ceil(topK / 2) }
  return { topK: request.logProbabilities === true ? topK : TOP_BESIDE_DRAWN, drawn: topK }
}

/** What to ask of a position before anything is known of it. */
export function positionRequest(
  settings: PradaSettings,
  capabilities: RemoteCapabilities,
  counts: RankCounts,
  { scoring, expected }: PreparedPosition
): PositionRequest {
  if (settings.topK === 'rows') return 'row'
  const most = Math.min(settings.wantedMax, capabilities.wantedMax)
  return wantedIds(expected, scoring, { ...counts, most, margin: settings.wantedMargin })
}

/** A trip on which the remote drafts. */
export function remoteDraftTrip(
  request: PradaRequest,
  trip: Omit<TripRequest, 'draft'>,
  count: number
): TripRequest {
  const { temperature, topK, topP, minP, seed, stream = 0 } = request
  const settings = {
    temperature,
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(minP !== undefined && { minP })
  }
  return { ...trip, draft: { count, settings, seed, stream } }
}
