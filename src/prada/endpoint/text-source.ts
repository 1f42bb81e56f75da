import type { RenderChat, TextTokenizer } from '../../data/index.ts'
import type { DrawSettings, LikelyId } from '../core/index.ts'
import type { Traffic } from '../remotes/remote.ts'
import type { PradaStatistics } from '../session/index.ts'

/** One text to make. */
export interface TextRequest extends DrawSettings {
  /** The beginning, at least one token, with room for more in the source's context. */
  readonly ids: readonly number[]
  /** Most tokens to add; the text ends before where the context is full. */
  readonly maxTokens: number
  /** Whole number from 0 to 2^53 − 1. */
  readonly seed: number
  /** Which of several texts of one seed. */
  readonly stream: number
  /** Added to the scores of single ids. */
  readonly bias?: ReadonlyMap<number, number>
  readonly presencePenalty?: number
  readonly frequencyPenalty?: number
  /** How many of the likeliest ids to tell of at every position; no log-probability is told where it is absent. */
  readonly alternatives?: number
  readonly signal: AbortSignal
}

/** A token that was made. */
export interface MadeToken {
  readonly id: number
  /** Whether it is certainly the token that the source's distribution and the seed give. */
  readonly exact: boolean
  /** At temperature 1, before filters, nats; where it was asked for and is known, not just bounded. */
  readonly logProbability?: number
  /** The likeliest ids of the position, where they are known. */
  readonly likeliest?: readonly LikelyId[]
}

/** Why a text ended: at a token or string that ends it, or because there was room for no more. */
export type TextEnd = 'stop' | 'length'

/** A text under way. */
export interface SourceText {
  /** Ending the loop early frees all that the text holds. */
  readonly tokens: AsyncGenerator<MadeToken, TextEnd>
  /** What it has cost on the line, where there is one. */
  readonly statistics?: PradaStatistics
}

/** Where texts come from: a model of one's own, or a proxy and a remote. */
export interface TextSource {
  /** The name that clients ask for. */
  readonly name: string
  /** Changes where the same request may have another text. */
  readonly fingerprint: string
  /** Longest text, tokens. */
  readonly context: number
  readonly tokenizer: TextTokenizer
  /** Bytes of each id that can be made, [vocabularySize]. */
  readonly tokens: readonly (Uint8Array | undefined)[]
  /** The model's own chat template, or the one that was chosen for it. */
  readonly renderChat: RenderChat | undefined
  /** Texts that end a text, whatever a request says; none where it is absent. */
  readonly stop?: readonly string[]
  /** Tokens that are made at a time for all texts; as many as there are texts where it is absent. */
  readonly tokensAtOnce?: number
  /** Bytes that have crossed the line for all texts, where there is one. */
  readonly traffic?: Traffic | undefined
  start(request: TextRequest): SourceText
  /** Frees the models; no text is under way. */
  dispose(): Promise<void>
}
