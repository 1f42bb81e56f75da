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

/** The next request for a position that an answer left open. */
export interface Further {
  readonly position: PositionRequest
  /** Number of ids to report by rank, if more than for other positions. */
  readonly topK?: number
  /** Number of the most likely among these that are known. */
  readonly skip?: number
}

/** A position that an answer left open. */
export interface OpenQuestion {
  readonly further: Further
  /** Number of answers that left it open. */
  readonly answers: number
  /** Number of most likely ids that are known. */
  readonly ranks: number
  /** The most likely token. */
  readonly guess: number | undefined
}

/** What the answers so far have reported about an open position. */
export interface ToldSoFar {
  readonly ids: readonly number[]
  /** Number of most likely ids that are known. */
  readonly ranks: number
  /** Number of answers that left it open. */
  readonly answers: number
}

/** Number of answers after which a whole row is requested at any cost, if possible. */
const ANSWERS_BEFORE_ROW = 8
/** Ids requested by rank if the filters' result is undetermined, and the growth factor while it stays so. */
const BORDER_RANKS = 64
const BORDER_GROWTH = 3
/** Maximum number of rivals that are requested by number only. */
const RIVALS_MAX = 64
/** Approximate bytes per id in both directions, by number (a distance sent, a value received) and by rank. */
const WANTED_BYTES = 3
const RANK_BYTES = 2.2

/**
 * The next request for a position that an answer left open; undefined if the remote cannot report more.
 */
export function askFurther(
  { rivals, borderOpen }: Extract<Verdict, { kind: 'uncertain' }>,
  { rows, wantedMax, topKMax, batchError }: RemoteCapabilities,
  { scoring, expected }: PreparedPosition,
  { ids: known, ranks, answers }: ToldSoFar
): Further | undefined {
  const size = scoring.offset.length
  // A row that costs hardly more settles the position with certainty.
  const rowBytes = 2 * size
  // Many rivals mean that the bound of all others is too high. Requesting further ranks lowers it.
  const byRank = borderOpen || wantedMax === 0 || rivals.length > RIVALS_MAX
  const topK = byRank ? Math.max(BORDER_RANKS * BORDER_GROWTH ** (answers - 1), 2 * ranks) : 0
  // If the remote's answers vary slightly, only the later one counts.
  const skip = batchError > 0 ? 0 : Math.min(ranks, topK)
  // Reporting more of the most likely ids eliminates most rivals.
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

/** Requests more of the most likely ids if none can be requested by number. */
function furtherRanks(known: number, answers: number, topKMax: number): Further | undefined {
  const before = BORDER_RANKS * BORDER_GROWTH ** (answers - 2)
  const topK = Math.min(topKMax, Math.max(2 * known, BORDER_RANKS * BORDER_GROWTH ** (answers - 1)))
  return before < topKMax && topK > known ? { position: [], topK } : undefined
}

function ascending(ids: readonly number[]): number[] {
  return ids.toSorted((a, b) => a - b)
}

/** Everything known about a position before the remote has answered. */
export interface PreparedPosition {
  readonly scoring: Scoring
  /** The base proxy's logits, which approximate the remote's. */
  readonly expected: Float32Array
}

/** Number of ids in every record of a trip. */
export interface RankCounts {
  /** By rank. */
  readonly topK: number
  /** By chance to win the draw; 0 if the noise is not shared. */
  readonly drawn: number
  /** If given, records report more ids by rank if the draw's winner makes it necessary. */
  readonly reach?: RankReach
}

/** Ids reported by rank if those that may win the draw are reported anyway, and no filter depends on ranks. */
const TOP_BESIDE_DRAWN = 1
/** Ids reported by chance to win the draw if a filter depends on ranks too. */
const DRAWN_BESIDE_TOP = 12
/** Further ids for every rank of the draw's winner below the most likely id, relative to those by rank; and the maximum. */
const REACH_SHARE = 0.5
const REACH_MAX = 256

/** Whether the noise is shared with the remote, so that it can report which ids may win the draw. */
function sharesNoise(
  { shareNoise }: PradaSettings,
  { temperature }: PradaRequest,
  { noise }: RemoteCapabilities
): boolean {
  return temperature > 0 && shareNoise && noise
}

/**
 * How many ids settle most positions: an initial value, then as learned. Settling the filters takes many more ids than
 * settling the winner, so more positions may stay open before more ids are reported for all.
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

/** @param auto ids reported per position if the setting is `auto` */
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
 * The first request for a position.
 *
 * @param position undefined if no ids are requested by number
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
