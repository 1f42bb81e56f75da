import type { LoraAdapter } from '../../adapter/pair/lora-adapter.ts'
import { encodeText } from '../../data/text/text-tokenizer.ts'
import type { TensorMap } from '../../formats/tensor.ts'
import { loadBaseModel } from '../base-model/base-model.ts'
import type { Executor } from '../executor/index.ts'
import { createEvaluator, type Score } from './evaluator.ts'

/** Longest window by default, as in the training of small models. */
const DEFAULT_CONTEXT_MAX = 256

/** How to score. */
export interface TextScorerOptions {
  /** Tokens per window; the model's maximum, at most 256, by default. */
  readonly context?: number
  /** Threads of the executor if none is given. */
  readonly threads?: number
  readonly executor?: Executor
  /** Weights in place of the model's own, by parameter name. */
  readonly weights?: TensorMap
}

/** A text's score and its length in UTF-8 bytes. */
export interface TextScore extends Score {
  readonly bytes: number
}

/** Scores texts under one base model, with any adapters. */
export interface TextScorer {
  /** The base's parameters, to which an adapter is applied. */
  readonly weights: TensorMap
  /** Scores `text`, including the tokenizer's prefix and suffix. */
  score(text: string, adapter?: LoraAdapter): Promise<TextScore>
  dispose(): Promise<void>
}

/**
 * Loads a base model for scoring.
 *
 * @throws {Error} when the folder is not a model, or the context is longer than the model's
 */
export async function createTextScorer(folder: string, options: TextScorerOptions = {}): Promise<TextScorer> {
  const base = loadBaseModel(folder)
  const { config, tokenizer } = base
  const weights =
    options.weights === undefined ? base.weights : new Map([...base.weights, ...options.weights])
  const longest = config.maxPositions
  const context = options.context ?? Math.min(longest, DEFAULT_CONTEXT_MAX)
  if (context > longest)
    throw new Error(`a context of ${context} tokens is longer than the model's ${longest}`)
  const { threads = 1, executor } = options
  const evaluator = await createEvaluator({ config, context, threads, ...(executor && { executor }) })
  return {
    weights,
    async score(text, adapter) {
      const ids = encodeText(tokenizer, text)
      if (ids.length < 2) throw new Error('the text has no token to score')
      const score = await evaluator.score({ weights, ids, ...(adapter && { adapter }) })
      return { ...score, bytes: Buffer.byteLength(text) }
    },
    dispose: () => evaluator.dispose()
  }
}
