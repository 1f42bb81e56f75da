import type { TensorMap } from '../../formats/tensor.ts'
import {
  type CompiledGraph,
  createOnnxRuntimeExecutor,
  type Executor,
  type FeedValue
} from '../executor/index.ts'
import { oneAtATime } from '../executor/one-at-a-time.ts'
import type { ModelConfig } from '../families/index.ts'
import { checkTokenId } from '../tokenizer/token-id.ts'
import { checkWeights } from '../weights/check-weights.ts'
import { type DecodingShape, decodingGraph, maskName } from './decoding-graph.ts'
import { createKeyValueCache } from './key-value-cache.ts'

/** Smallest capacity of a cache, tokens; it doubles from there. */
const CACHE_BLOCK = 64
/** Most tokens a run: a longer prompt goes in by parts, so that the scores' memory stays bounded. */
const LENGTH_MAX = 256
/** Fewest tokens of a run of more than one. */
const LENGTH_MIN = 8
/** Compiled graphs kept; the one unused for longest is freed. */
const COMPILED_MAX = 8
/** Score of a position that may not be looked at: its softmax weight is exactly 0. */
const MASKED_SCORE = -1e9

/** What a decoder is made for. */
export interface DecoderOptions {
  readonly config: ModelConfig
  readonly threads?: number
  readonly executor?: Executor
  /** Longest text, tokens; the model's maximum unless given. */
  readonly context?: number
}

/** A text longer than the model can attend to. */
export class ContextLengthError extends Error {
  override readonly name = 'ContextLengthError'
}

/** One text that goes on, with its keys and values kept. */
export interface DecodedText {
  /** Tokens so far. */
  readonly length: number
  /**
   * Appends tokens, at least one.
   *
   * @returns the logits of the token after them, [vocabularySize]; overwritten by the decoder's next run
   * @throws {ContextLengthError} when the text would exceed the context; nothing is appended
   * @throws {Error} when an id lies outside the vocabulary
   */
  append(ids: readonly number[]): Promise<Float32Array>
  /** Goes back to the first `length` tokens: what comes next replaces the rest. */
  truncate(length: number): void
}

/** Reads and continues texts with a cache of keys and values: a token more costs one token's pass. */
export interface Decoder {
  /** Longest text, tokens. */
  readonly context: number
  /**
   * An empty text.
   *
   * @throws {UnsupportedModelError} when the weights do not fit the model
   */
  start(weights: TensorMap): DecodedText
  dispose(): Promise<void>
}

interface CompiledShape extends DecodingShape {
  readonly graph: CompiledGraph
  readonly windows: readonly (number | undefined)[]
}

/**
 * A decoder for one architecture. Graphs are compiled as shapes come up: the cache's capacity doubles, and runs of more
 * than one token have a power of two of them, so that there are few.
 *
 * @throws {Error} when the context is longer than the model's
 */
export function createDecoder(options: DecoderOptions): Decoder {
  const { config } = options
  const context = options.context ?? config.maxPositions
  if (!Number.isInteger(context) || context < 1 || context > config.maxPositions)
    throw new Error(
      `a context of ${context} tokens does not fit the model's ${config.maxPositions} positions`
    )
  const executor = options.executor ?? createOnnxRuntimeExecutor({ threads: options.threads ?? 1 })
  const shapes = createCompiledShapes(config, executor)
  const exclusively = oneAtATime((work: () => Promise<Float32Array>) => work())

  const start = (weights: TensorMap): DecodedText => {
    checkWeights(config, weights, 'the weights')
    const base = [...weights].map(([name, { data }]): [string, FeedValue] => [name, data])
    const { layers, keyValueHeads: keyHeads, headSize } = config
    const cache = createKeyValueCache({ layers, keyHeads, headSize }, CACHE_BLOCK)

    const run = async (ids: readonly number[]): Promise<Float32Array> => {
      const held = cache.length
      const length = ids.length === 1 ? 1 : Math.min(powerOfTwo(ids.length), config.maxPositions)
      const shape = await shapes.get({ length, capacity: cache.length === 0 ? 0 : cache.capacity })
      const feeds = new Map<string, FeedValue>(base)
      if (shape.capacity > 0) for (const [name, array] of cache.feeds()) feeds.set(name, array)
      const inputIds = new Int32Array(length)
      inputIds.set(ids)
      // Tokens that only fill the run up stand at the last position: no table has a row beyond it.
      const positions = Int32Array.from({ length }, (_, row) => held + Math.min(row, ids.length - 1))
      feeds.set('inputIds', inputIds).set('positions', positions)
      feeds.set('last', Int32Array.of(ids.length - 1))
      for (const window of shape.windows) feeds.set(maskName(window), decodingMask(shape, held, window))
      const outputs = await shape.graph.run(feeds)
      cache.append(outputs, length, ids.length)
      return outputs.get('logits')!
    }

    return {
      get length() {
        return cache.length
      },
      append(ids) {
        const added = [...ids]
        return exclusively(async () => {
          if (added.length === 0) throw new Error('no token was given to append')
          for (const id of added) checkTokenId(id, config)
          if (cache.length + added.length > context) throw contextError(cache.length + added.length, context)
          let logits: Float32Array | undefined
          for (let from = 0; from < added.length; from += LENGTH_MAX)
            logits = await run(added.slice(from, from + LENGTH_MAX))
          return logits!
        })
      },
      truncate: (length) => cache.truncate(length)
    }
  }

  return {
    context,
    start,
    dispose: () => shapes.dispose()
  }
}

/** Decoding graphs as shapes come up; of many, the latest stay. */
function createCompiledShapes(config: ModelConfig, executor: Executor) {
  const compiled = new Map<string, CompiledShape>()
  let disposed = false
  return {
    async get(shape: DecodingShape): Promise<CompiledShape> {
      if (disposed) throw new Error('the decoder has been disposed')
      const key = `${shape.length}x${shape.capacity}`
      let entry = compiled.get(key)
      if (!entry) {
        const { graph, windows } = decodingGraph(config, shape)
        entry = { ...shape, graph: await executor.compile(graph), windows }
      }
      compiled.delete(key)
      compiled.set(key, entry)
      for (const [oldest, { graph: unused }] of compiled) {
        if (compiled.size <= COMPILED_MAX) break
        compiled.delete(oldest)
        await unused.dispose()
      }
      return entry
    },
    async dispose(): Promise<void> {
      disposed = true
      const graphs = [...compiled.values()]
      compiled.clear()
      for (const { graph } of graphs) await graph.dispose()
    }
  }
}

function contextError(length: number, context: number): ContextLengthError {
  return new ContextLengthError(
    `a text of ${length} tokens is longer than the context of ${context}: shorten the prompt`
  )
}

/** The smallest power of two that is at least `count`, from LENGTH_MIN on. */
function powerOfTwo(count: number): number {
  let power = LENGTH_MIN
  while (power < count) power *= 2
  return power
}

/**
 * Mask [length, capacity + length] of new tokens behind `held` cached ones: each sees the held tokens, itself and the new
 * ones before it, and of these only the last `window`.
 */
export function decodingMask(
  { length, capacity }: DecodingShape,
  held: number,
  window = Number.POSITIVE_INFINITY
): Float32Array {
  const keys = capacity + length
  const mask = new Float32Array(length * keys).fill(MASKED_SCORE)
  for (let row = 0; row < length; row++) {
    const first = Math.max(0, held + row + 1 - window)
    if (first < held) mask.fill(0, row * keys + first, row * keys + held)
    mask.fill(0, row * keys + capacity + Math.max(0, first - held), row * keys + capacity + row + 1)
  }
  return mask
}
