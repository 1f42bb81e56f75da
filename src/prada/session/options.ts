import type { DrawSettings, Interval, LikelyId, Precision } from '../core/index.ts'
import type { RemoteCapabilities } from '../remotes/remote.ts'

/** Who drafts: the adapted proxy, the base proxy, or the remote itself. */
export type DrafterName = 'adapted' | 'base' | 'remote'

/** How the device and a remote work on a text together. */
export interface PradaSettings {
  /** Strength of the logits offset; 0 is the remote alone. */
  readonly alpha: number
  readonly drafter: DrafterName
  /** Drafts a trip; `auto` measures what is best. */
  readonly draftLength: 'auto' | number
  /** Ids that every record tells, the likeliest; `auto` measures how many settle most positions, `rows` asks for whole rows. */
  readonly topK: 'auto' | number | 'rows'
  /**
   * Whether the remote is told the noise, so that it tells the ids that are likeliest to win the draw. It then knows the
   * seed; where it does not, far more positions stay open.
   */
  readonly shareNoise: boolean
  /**
   * Most ids a position to ask for in advance. With 0 none is ever asked for by number: the remote does not learn which ids
   * the proxies' logits make likely, at the cost of trips.
   */
  readonly wantedMax: number
  /** Ids are asked for in advance that may come within this of the expected winner's score, nats. */
  readonly wantedMargin: number
  /** Of what crosses the line; a remote whose answers differ a little is asked for float32, see `linePrecision`. */
  readonly precision: Precision
  /** Whether a token that is not certain is an error; where it is not, such a token says so. */
  readonly requireExact: boolean
}

export const DEFAULT_PRADA_SETTINGS: PradaSettings = {
  alpha: 1,
  drafter: 'remote',
  draftLength: 'auto',
  topK: 'auto',
  shareNoise: true,
  wantedMax: 16,
  wantedMargin: 1,
  precision: 'float16',
  requireExact: true
}

/** One text to continue. */
export interface PradaRequest extends DrawSettings {
  /** The beginning, at least one token. */
  readonly ids: readonly number[]
  /** Most tokens to add. */
  readonly maxTokens: number
  /** Whole number from 0 to 2^53 − 1. */
  readonly seed: number
  /** Which of several texts of one seed; 0 where it is absent. */
  readonly stream?: number
  /** Tokens that end the text; they are not returned. */
  readonly stopIds?: readonly number[]
  /** Added to the combined scores of single ids. */
  readonly bias?: ReadonlyMap<number, number>
  /** Taken from the scores of ids that were made before; 0 where it is absent. */
  readonly presencePenalty?: number
  /** Taken from an id's score for every time it was made before; 0 where it is absent. */
  readonly frequencyPenalty?: number
  /** Whether tokens come with the interval of their log-probability. */
  readonly logProbabilities?: boolean
  /** How many of the likeliest ids to tell of at every position whose row is known as a whole; 0 where it is absent. */
  readonly alternatives?: number
  readonly signal?: AbortSignal
}

/** A token of the combined distribution. */
export interface PradaToken {
  readonly id: number
  /** Whether it is certainly the token that whole rows would give. */
  readonly exact: boolean
  /** Set where an answer of the remote that differs as little as its answers do might give another token. */
  readonly nearTie?: true
  /** Under the combined distribution at temperature 1, before filters; where it was asked for and is known. */
  readonly logProbability?: Interval
  /** The likeliest ids of the position, where they were asked for and its row is known as a whole. */
  readonly likeliest?: readonly LikelyId[]
}

/**
 * The precision in which a remote is asked. Where its answers differ by less than a float16 can tell, rounding would turn
 * some of these differences into steps that are far larger.
 */
export function linePrecision({ batchError }: RemoteCapabilities, wanted: Precision): Precision {
  return batchError > 0 ? 'float32' : wanted
}

/**
 * Who drafts where nobody says so. A remote that makes the device's noise does: it is nearer to the combined distribution
 * than either proxy, and is sent no draft that tells of the private data. Elsewhere the adapted proxy drafts, if the remote
 * judges its drafts.
 */
export function chooseDrafter(
  { judgesDrafts, drafts, noise }: RemoteCapabilities,
  { shareNoise }: Pick<PradaSettings, 'shareNoise'>
): DrafterName {
  return drafts && (!judgesDrafts || (noise && shareNoise)) ? 'remote' : 'adapted'
}

/** A position that no answer of the remote can settle, where that is required. */
export class NotExactError extends Error {
  override readonly name = 'NotExactError'
}
