import {
  borderIds,
  createRankCount,
  isFiltered,
  type RankCount,
  type RankReach,
  type Scoring,
  type Verdict,
  wantedIds
} from '../core/index.ts'
import type { RemoteCapabilities, TripRequest } from '../remotes/remote.ts'
import type { PositionRequest } from '../wire/index.ts'
import type { PradaRequest, PradaSettings } from './options.ts'

/** What is to be asked of a position that an answer left open. */
export interface Further {
  readonly position: PositionRequest
  /** Ids to tell by rank, where more of them are wanted than of other positions. */
  readonly topK?: number
  /** Of these the likeliest that are known. */
  readonly skip?: number
}

/** A position that an answer left open. */
export interface OpenQuestion {
  readonly further: Further
  /** Answers that left it open. */
  readonly answers: number
  /** As many of the likeliest ids are known. */
  readonly ranks: number
  /** The likeliest token. */
  readonly guess: number | undefined
}

/** What the answers so far have told of an open position. */
export interface ToldSoFar {
  readonly ids: readonly number[]
  /** As many of the likeliest ids are known. */
  readonly ranks: number
  /** Answers that left it open. */
  readonly answers: number
}

/** Answers after which a whole row is asked for whatever it costs, where that is possible. */
const ANSWERS_BEFORE_ROW = 8
/** Ids asked for by rank where it is open what the filters leave, and how many times as many where it stays open. */
const BORDER_RANKS = 64
const BORDER_GROWTH = 3
/** Most rivals that are asked for by number alone. */
const RIVALS_MAX = 64
/** Bytes that an id costs both ways by number (a distance going up, a value coming down) and by rank, about. */
const WANTED_BYTES = 3
const RANK_BYTES = 2.2

/**
 * What to ask of a position that an answer left open; undefined where the remote cannot tell more.
 */
export function askFurther(
  { rivals, borderOpen }: Extract<Verdict, { kind: 'uncertain' }>,
  { rows, wantedMax, topKMax, batchError }: RemoteCapabilities,
  { scoring, expected }: PreparedPosition,
  { ids: known, ranks, answers }: ToldSoFar
): Further | undefined {
  const size = scoring.offset.length
  // A row that is hardly dearer settles the position for certain.
  const rowBytes = 2 * size
  // Many rivals mean that the bound of all others is too high: the next ranks lower it.
  const byRank = borderOpen || wantedMax === 0 || rivals.length > RIVALS_MAX
  const topK = byRank ? Math.max(BORDER_RANKS * BORDER_GROWTH ** (answers - 1), 2 * ranks) : 0
  // Of a remote whose answers differ a little the later one counts alone.
  const skip = batchError > 0 ? 0 : Math.min(ranks, topK)
  // With more of the likeliest ids told, most rivals go.
  const byNumber = rivals.slice(
    0,
    wantedMax === 0 ? 0 : borderOpen || byRank ? RIVALS_MAX / 2 : rivals.length
  )
  const bytes = byNumber.length * WANTED_BYTES + (topK - skip) * RANK_BYTES
  const tooMany = byNumber.length > wantedMax || topK > topKMax || topK >= size
  if (rows && (1.5 * bytes > rowBytes || tooMany || answers >= ANSWERS_BEFORE_ROW)) return { position: 'row' }
  if (byRank && topK <= topKMax && topK < size)
    return { position: ascending(byNumber.slice(0, wantedMax)), topK, ...(skip > 0 && { skip }) }
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
  /** Where more are told by rank as the draw's winner makes it necessary. */
  readonly reach?: RankReach
}

/** Ids told by rank where those that may win are told anyway, and no filter asks which ids are the likeliest. */
const TOP_BESIDE_DRAWN = 1
/** Ids told by what they may win where a filter asks for the likeliest too. */
const DRAWN_BESIDE_TOP = 12
/** Of the ids told by rank, as many more for every rank that the draw's winner is below the likeliest; and the most. */
const REACH_SHARE = 0.5
const REACH_MAX = 256

/** Whether the remote is told the noise, so that it can tell what may win. */
function sharesNoise(
  { shareNoise }: PradaSettings,
  { temperature }: PradaRequest,
  { noise }: RemoteCapabilities
): boolean {
  return temperature > 0 && shareNoise && noise
}

/**
 * How many ids settle most positions, to begin with and as measured. What a filter leaves takes many more ids to settle
 * than who wins, so that more positions may stay open before they are told of all.
 */
export function rankCountFor(
  settings: PradaSettings,
  request: PradaRequest,
  capabilities: RemoteCapabilities
): RankCount {
  const most = Math.min(64, capabilities.topKMax)
  const shared = sharesNoise(settings, request, capabilities)
  if (isFiltered(request))
    return shared
      ? createRankCount({ first: Math.min(8, most), least: Math.min(4, most), most, open: 0.1 })
      : createRankCount({ first: Math.min(16, most), least: Math.min(8, most), most, open: 0.25 })
  const first = shared ? 12 : 16
  return createRankCount({ first: Math.min(first, most), least: Math.min(4, most), most, open: 0.03 })
}

/** @param auto ids told of a position where the settings leave it open */
export function rankCounts(
  settings: PradaSettings,
  request: PradaRequest,
  capabilities: RemoteCapabilities,
  auto: number
): RankCounts {
  if (settings.topK === 'rows') return { topK: 1, drawn: 0 }
  const most = capabilities.topKMax
  const topK = settings.topK === 'auto' ? Math.min(auto, most) : settings.topK
  if (!sharesNoise(settings, request, capabilities)) return { topK, drawn: 0 }
  if (isFiltered(request)) {
    if (settings.topK !== 'auto') return { topK, drawn: Math.min(DRAWN_BESIDE_TOP, topK) }
    const reach = { perRank: Math.ceil(topK * REACH_SHARE), most: Math.min(REACH_MAX, most) }
    return { topK, drawn: Math.min(DRAWN_BESIDE_TOP, most), reach }
  }
  return { topK: request.logProbabilities === true ? topK : TOP_BESIDE_DRAWN, drawn: topK }
}

/**
 * What to ask of a position before anything is known of it.
 *
 * @param position undefined where nothing is to be asked for by number
 */
export function positionRequest(
  settings: PradaSettings,
  capabilities: RemoteCapabilities,
  counts: RankCounts,
  position: PreparedPosition | undefined
): PositionRequest {
  if (settings.topK === 'rows') return 'row'
  const most = Math.min(settings.wantedMax, capabilities.wantedMax)
  if (position === undefined || most === 0) return []
  return wantedIds(position.expected, position.scoring, { ...counts, most, margin: settings.wantedMargin })
}

/** A trip on which the remote drafts. */
export function remoteDraftTrip(
  request: PradaRequest,
  trip: Omit<TripRequest, 'draft'>,
  count: number,
  rows: boolean
): TripRequest {
  const { temperature, topK, topP, minP, seed, stream = 0 } = request
  const settings = {
    temperature,
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(minP !== undefined && { minP })
  }
  return { ...trip, draft: { count, settings, seed, stream, rows } }
}
