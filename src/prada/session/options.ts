import type { DrawSettings, Interval, LikelyId, Precision } from '../core/index.ts'
import type { RemoteCapabilities } from '../remotes/remote.ts'

/** The model that drafts: the adapted proxy, the base proxy, or the remote. */
export type DrafterName = 'adapted' | 'base' | 'remote'

/** Settings for generating a text with a remote. */
export interface PradaSettings {
  /** Strength of the logits offset; 0 gives the remote's own distribution. */
  readonly alpha: number
  readonly drafter: DrafterName
  /** Drafts per trip; `auto` adapts it to measurements. */
  readonly draftLength: 'auto' | number
  /**
   * Number of most likely ids in every record; `auto` learns how many settle most positions, `rows` requests whole
   * rows.
   */
  readonly topK: 'auto' | number | 'rows'
  /**
   * Whether to share the noise with the remote, so that it can report the ids that are most likely to win the draw. It
   * then knows the seed. Without it, far more positions stay open.
   */
  readonly shareNoise: boolean
  /**
   * Maximum number of ids per position to request in advance. With 0, no id is ever requested by number: the remote
   * does not learn which ids the proxies' logits make likely, at the cost of more trips.
   */
  readonly wantedMax: number
  /** Ids are requested in advance if they may come within this distance of the expected winner's score, nats. */
  readonly wantedMargin: number
  /** Precision of sent values. A remote whose answers vary slightly is asked for float32, see `wirePrecision`. */
  readonly precision: Precision
  /** Whether an uncertain token is an error; otherwise such a token is marked. */
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
  /** The prompt, at least one token. */
  readonly ids: readonly number[]
  /** Maximum number of tokens to add. */
  readonly maxTokens: number
  /** Integer from 0 to 2^53 − 1. */
  readonly seed: number
  /** Index among several texts with the same seed; 0 if absent. */
  readonly stream?: number
  /** Tokens that end the text; they are not returned. */
  readonly stopIds?: readonly number[]
  /** Bias added to the combined scores of individual ids. */
  readonly bias?: ReadonlyMap<number, number>
  /** Subtracted from the scores of ids that were generated before; 0 if absent. */
  readonly presencePenalty?: number
  /** Subtracted from an id's score once per earlier occurrence; 0 if absent. */
  readonly frequencyPenalty?: number
  /** Whether tokens include the interval of their log-probability. */
  readonly logProbabilities?: boolean
  /** Number of most likely ids to report at every position whose complete row is known; 0 if absent. */
  readonly alternatives?: number
  readonly signal?: AbortSignal
}

/** A token of the combined distribution. */
export interface PradaToken {
  readonly id: number
  /** Whether it is certain to be the token that whole rows would give. */
  readonly exact: boolean
  /** Set if the usual variation between the remote's answers might lead to another token. */
  readonly nearTie?: true
  /** Under the combined distribution at temperature 1, before filters; present if requested and known. */
  readonly logProbability?: Interval
  /** The most likely ids of the position, if they were requested and its complete row is known. */
  readonly mostLikely?: readonly LikelyId[]
}

/**
 * The precision requested from a remote. If its answers vary by less than float16 can represent, rounding would turn
 * some of these differences into much larger steps.
 */
export function wirePrecision({ batchError }: RemoteCapabilities, wanted: Precision): Precision {
  return batchError > 0 ? 'float32' : wanted
}

/**
 * The default drafter. A remote that can compute the device's noise drafts itself: it is closer to the combined
 * distribution than either proxy, and no drafts that reveal private data are sent to it. Otherwise the adapted proxy
 * drafts, if the remote judges its drafts.
 */
export function chooseDrafter(
  { judgesDrafts, drafts, noise }: RemoteCapabilities,
  { shareNoise }: Pick<PradaSettings, 'shareNoise'>
): DrafterName {
  return drafts && (!judgesDrafts || (noise && shareNoise)) ? 'remote' : 'adapted'
}

/** Thrown in exact mode if no answer of the remote can settle a position. */
export class NotExactError extends Error {
  override readonly name = 'NotExactError'
}
