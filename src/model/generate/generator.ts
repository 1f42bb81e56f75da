import { createSeededRandom } from '../../data/order/seeded-random.ts'
import type { TensorMap } from '../../formats/tensor.ts'
import { ContextLengthError, createDecoder, type DecoderOptions } from './decoder.ts'
import { type SamplingSettings, sampleToken } from './sampling.ts'

/** Options of a generator. */
export type GeneratorOptions = DecoderOptions

/** Why a text ended: at a stop token or string, or for lack of room. */
export type FinishReason = 'stop' | 'length'

/** One text to continue. */
export interface GenerateOptions extends SamplingSettings {
  readonly weights: TensorMap
  /** The beginning, at least one token (such as the tokenizer's BOS). */
  readonly ids: readonly number[]
  /** Maximum number of tokens to add; the text ends earlier if the context is full. */
  readonly maxTokens: number
  /** 0 if absent. */
  readonly seed?: number
  /** Tokens that end the text; they are not returned. */
  readonly stopIds?: readonly number[]
  /** Stops between two tokens. */
  readonly signal?: AbortSignal
}

/** Continues texts. */
export interface Generator {
  /** Longest text, tokens. */
  readonly context: number
  /**
   * Streams the tokens that follow `ids`; returns why they ended. Equal arguments give equal tokens on one machine.
   *
   * @throws {ContextLengthError} when `ids` leave no room for another token
   * @throws {Error} when an id lies outside the vocabulary, or the weights do not fit
   */
  stream(options: GenerateOptions): AsyncGenerator<number, FinishReason>
  /** Returns all of these tokens at once. */
  generate(options: GenerateOptions): Promise<number[]>
  dispose(): Promise<void>
}

/** A generator for one architecture. Several texts can be generated concurrently; their runs take turns. */
export async function createGenerator(options: GeneratorOptions): Promise<Generator> {
  const decoder = createDecoder(options)
  const { context } = decoder

  async function* stream(run: GenerateOptions): AsyncGenerator<number, FinishReason> {
    const { ids, maxTokens, stopIds = [] } = run
    if (ids.length === 0) throw new Error('generation needs at least one token to start from')
    if (ids.length >= context)
      throw new ContextLengthError(
        `the prompt has ${ids.length} tokens, which leaves no room in the context of ${context}: shorten it`
      )
    const random = createSeededRandom(run.seed ?? 0)
    const text = decoder.start(run.weights)
    let next: readonly number[] = ids
    const whole = [...ids]
    const limit = Math.min(maxTokens, context - ids.length)
    for (let made = 0; made < limit; made++) {
      run.signal?.throwIfAborted()
      const id = sampleToken(await text.append(next), run, random, { ids: whole, promptTokens: ids.length })
      if (stopIds.includes(id)) return 'stop'
      yield id
      whole.push(id)
      next = [id]
    }
    return 'length'
  }

  return {
    context,
    stream,
    generate: async (run) => {
      const ids: number[] = []
      for await (const id of stream(run)) ids.push(id)
      return ids
    },
    dispose: () => decoder.dispose()
  }
}
