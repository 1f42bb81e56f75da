import { isFiltered, type Scoring, wantedIds } from '../core/index.ts'
import type { RemoteCapabilities, TripRequest } from '../remotes/remote.ts'
import type { PositionRequest } from '../wire/index.ts'
import type { PradaRequest, PradaSettings } from './options.ts'

/** What has to be told of the first position before it can be settled. */
export interface OpenQuestion {
  /** Ids whose values are missing, those that matter most first. */
  readonly ask: readonly number[]
  /** Answers that left the position open. */
  readonly answers: number
  /** The likeliest token. */
  readonly guess: number | undefined
}

/** Answers after which a whole row is asked for, where that is possible. */
const ANSWERS_BEFORE_ROW = 2
/** Bytes that an id costs both ways, about: a distance going up, a float16 coming down. */
const WANTED_BYTES = 3.5

/** What to ask of a position that an answer left open; undefined where the remote cannot tell more. */
export function questionPosition(
  question: OpenQuestion,
  capabilities: RemoteCapabilities,
  size: number
): PositionRequest | undefined {
  const { rows, wantedMax } = capabilities
  const all = question.ask.length
  const rowIsCheaper = all * WANTED_BYTES > 2 * size
  if (rows && (rowIsCheaper || all > wantedMax || question.answers >= ANSWERS_BEFORE_ROW)) return 'row'
  if (wantedMax > 0) return ascending(question.ask.slice(0, wantedMax))
  return undefined
}

/** How many ids every record of a trip tells. */
export interface RankCounts {
  /** By rank. */
  readonly topK: number
  /** By what they may win; 0 where the noise is not shared. */
  readonly drawn: number
}

/** Ids told by rank where those that may win are told anyway, and no filter asks which ids are the likeliest. */
const TOP_BESIDE_DRAWN = 1

export function rankCounts(
  { topK, shareNoise }: PradaSettings,
  request: PradaRequest,
  capabilities: RemoteCapabilities
): RankCounts {
  if (topK === 'rows') return { topK: 1, drawn: 0 }
  if (request.temperature === 0 || !shareNoise || !capabilities.noise) return { topK, drawn: 0 }
  const ranked = isFiltered(request) || request.logProbabilities === true
  return { topK: ranked ? topK : TOP_BESIDE_DRAWN, drawn: topK }
}

/** What to ask of a position before anything is known of it. */
export function positionRequest(
  settings: PradaSettings,
  capabilities: RemoteCapabilities,
  counts: RankCounts,
  scoring: Scoring,
  expected: Float32Array
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

function ascending(ids: readonly number[]): number[] {
  return ids.toSorted((a, b) => a - b)
}
