import type { RenderChat, TextTokenizer } from '../../data/index.ts'
import type { DrawSettings, LikelyId } from '../core/index.ts'
import type { Traffic } from '../remotes/remote.ts'
import type { PradaStatistics } from '../session/index.ts'

/** A request for one text. */
export interface TextRequest extends DrawSettings {
  /** The prompt: at least one token, and shorter than the source's context. */
  readonly ids: readonly number[]
  /** Maximum number of tokens to add; the text ends earlier if the context is full. */
  readonly maxTokens: number
  /** Integer from 0 to 2^53 − 1. */
  readonly seed: number
  /** Index among several texts with the same seed. */
  readonly stream: number
  /** Bias added to the scores of individual ids. */
  readonly bias?: ReadonlyMap<number, number>
  readonly presencePenalty?: number
  readonly frequencyPenalty?: number
  /** How many of the most likely ids to report at every position; no log-probabilities if absent. */
  readonly alternatives?: number
  readonly signal: AbortSignal
}

/** A generated token. */
export interface MadeToken {
  readonly id: number
  /** Whether it is certain to be the token that the source's distribution and the seed determine. */
  readonly exact: boolean
  /** At temperature 1, before filters, nats; present if requested and known exactly. */
  readonly logProbability?: number
  /** The most likely ids of the position, if known. */
  readonly mostLikely?: readonly LikelyId[]
}

/** Why a text ended: at a stop token or stop string, or at the maximum length. */
export type TextEnd = 'stop' | 'length'

/** A text in generation. */
export interface SourceText {
  /** Leaving the loop early frees all resources of the text. */
  readonly tokens: AsyncGenerator<MadeToken, TextEnd>
  /** Network cost, if a remote is used. */
  readonly statistics?: PradaStatistics
}

/** A generator of texts: a local model, or a proxy with a remote. */
export interface TextSource {
  /** The model name that clients request. */
  readonly name: string
  /** Changes whenever the same request may yield a different text. */
  readonly fingerprint: string
  /** Maximum text length, tokens. */
  readonly context: number
  readonly tokenizer: TextTokenizer
  /** Bytes of each id that can be generated, [vocabularySize]. */
  readonly tokens: readonly (Uint8Array | undefined)[]
  /** Renders the model's own chat template, or the configured one. */
  readonly renderChat: RenderChat | undefined
  /** Strings that end every text, in addition to those of a request; none if absent. */
  readonly stop?: readonly string[]
  /** Number of tokens generated concurrently over all texts; one per text if absent. */
  readonly tokensAtOnce?: number
  /** Bytes exchanged with the remote for all texts, if there is a remote. */
  readonly traffic?: Traffic | undefined
  start(request: TextRequest): SourceText
  /** Frees the models; called when no text is running. */
  dispose(): Promise<void>
}
