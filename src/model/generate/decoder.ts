import { allFinite } from '../../adapter/pair/check-adapter.ts'
import type { TensorMap } from '../../formats/tensor.ts'
import {
  type CompiledGraph,
  createOnnxRuntimeExecutor,
  type Executor,
  type FeedValue
} from '../executor/index.ts'
import { oneAtATime } from '../executor/one-at-a-time.ts'
import { overflow } from '../executor/overflow.ts'
import { layerCaches, type ModelConfig, rotationChangeOf } from '../families/index.ts'
import { checkTokenId } from '../tokenizer/token-id.ts'
import { checkWeights } from '../weights/check-weights.ts'
import { type DecodingShape, decodingGraph, maskName, PLACEMENT } from './decoding-graph.ts'
import { createKeyValueCache, type KeyValueCache } from './key-value-cache.ts'

/** Smallest capacity of a cache, tokens; it doubles from there. */
const CACHE_BLOCK = 64
/** Maximum tokens per run: a longer prompt is processed in parts, so that the scores' memory stays bounded. */
const LENGTH_MAX = 256
/** Minimum size of a run of more than one token. */
const LENGTH_MIN = 8
/** Minimum number of rows in a repeatable run. */
const RUN_MIN = 2
/** Repeatable runs up to this many tokens return the logits after each, so that few shapes have to be compiled. */
const ALL_ROWS_MAX = 32
/** Number of compiled graphs kept; the least recently used one is freed. */
const COMPILED_MAX = 12
/** Score of a position that may not be looked at: its softmax weight is exactly 0. */
const MASKED_SCORE = -1e9

/** Options of a decoder. */
export interface DecoderOptions {
  readonly config: ModelConfig
  readonly threads?: number
  readonly executor?: Executor
  /** Longest text, tokens; the model's maximum by default. */
  readonly context?: number
  /**
   * Whether a token's logits have the same bits however the text is cut into runs: speculative decoding needs it to
   * give exactly the tokens of decoding one by one. A run then has at least two tokens and is computed on one thread,
   * since onnxruntime splits a product's inner sums by the columns assigned to a thread; false if absent.
   */
  readonly repeatable?: boolean
}

/** Thrown for a text longer than the model's context. */
export class ContextLengthError extends Error {
  override readonly name = 'ContextLengthError'
}

/** A text being continued, with its keys and values kept. */
export interface DecodedText {
  /** Number of tokens so far. */
  readonly length: number
  /**
   * Appends tokens, at least one.
   *
   * @returns the logits of the token after them, [vocabularySize]; overwritten by the decoder's next run
   * @throws {ContextLengthError} when the text would exceed the context; nothing is appended
   * @throws {Error} when an id lies outside the vocabulary
   */
  append(ids: readonly number[]): Promise<Float32Array>
  /**
   * Appends tokens and returns the logits after each of the last `count` of them.
   *
   * @param count at least 1, at most the number of `ids`
   * @returns [count][vocabularySize], not overwritten
   * @throws what `append` throws
   */
  appendRows(ids: readonly number[], count: number): Promise<Float32Array[]>
  /** Returns to the first `length` tokens: the next tokens replace the rest. */
  truncate(length: number): void
}

/** Reads and continues texts with a cache of keys and values: each further token costs a single token's pass. */
export interface Decoder {
  /** Longest text, tokens. */
  readonly context: number
  /**
   * Starts an empty text.
   *
   * @throws {UnsupportedModelError} when the weights do not match the model
   */
  start(weights: TensorMap): DecodedText
  dispose(): Promise<void>
}

interface CompiledShape extends DecodingShape {
  readonly graph: CompiledGraph
  readonly windows: readonly (number | undefined)[]
}

/**
 * A decoder for one architecture. Graphs are compiled as shapes occur: the cache's capacity doubles, and runs of more
 * than one token are padded to a power of two, so there are few shapes.
 *
 * @throws {Error} when the context is longer than the model's
 */
export function createDecoder(options: DecoderOptions): Decoder {
  const { config, repeatable = false } = options
  const context = options.context ?? config.maxPositions
  if (!Number.isInteger(context) || context < 1 || context > config.maxPositions)
    throw new Error(`a context of ${context} tokens exceeds the model's ${config.maxPositions} positions`)
  if (repeatable && (options.threads ?? 1) > 1)
    throw new Error(`a repeatable decoder computes on one thread, not ${options.threads}`)
  const executor = options.executor ?? createOnnxRuntimeExecutor({ threads: options.threads ?? 1 })
  const shapes = createCompiledShapes(config, executor)
  const exclusively = oneAtATime((work: () => Promise<Float32Array[]>) => work())

  return {
    context,
    start(weights) {
      checkWeights(config, weights, 'the weights')
      const base = [...weights].map(([name, { data }]): [string, FeedValue] => [name, data])
      return new CachedText({ config, context, repeatable, shapes, base, exclusively })
    },
    dispose: () => shapes.dispose()
  }
}

/** State shared by a decoder's texts. */
interface CachedTextParts {
  readonly config: ModelConfig
  readonly context: number
  readonly repeatable: boolean
  readonly shapes: ReturnType<typeof createCompiledShapes>
  /** The weights as feeds. */
  readonly base: readonly [string, FeedValue][]
  /** Runs work after all earlier work, since the executor's next run overwrites its outputs. */
  readonly exclusively: (work: () => Promise<Float32Array[]>) => Promise<Float32Array[]>
}

class CachedText implements DecodedText {
  readonly #parts: CachedTextParts
  readonly #cache: KeyValueCache
  /** Tokens beyond which all are rotated in another way. */
  readonly #changeLength: number | undefined
  /** The tokens that are held, where they may have to be computed again. */
  #ids: number[] = []
  /** Whether what is held was computed for a text beyond that length. */
  #isLong = false

  constructor(parts: CachedTextParts) {
    this.#parts = parts
    this.#cache = createKeyValueCache(layerCaches(parts.config), CACHE_BLOCK)
    this.#changeLength = rotationChangeOf(parts.config)
  }

  get length(): number {
    return this.#cache.length
  }

  async append(ids: readonly number[]): Promise<Float32Array> {
    const added = [...ids]
    return (await this.#parts.exclusively(() => this.#appendParts(added, 1)))[0]!
  }

  appendRows(ids: readonly number[], count: number): Promise<Float32Array[]> {
    const added = [...ids]
    return this.#parts.exclusively(async () => {
      const rows = await this.#appendParts(added, count)
      return count === 1 ? rows.map((row) => row.slice()) : rows
    })
  }

  truncate(length: number): void {
    this.#cache.truncate(length)
    this.#ids.length = Math.min(this.#ids.length, length)
  }

  /** Appends all of `added`, and returns the logits after the last `count`. */
  async #appendParts(added: readonly number[], count: number): Promise<Float32Array[]> {
    const { config, context } = this.#parts
    if (added.length === 0) throw new Error('there is no token to append')
    if (!Number.isInteger(count) || count < 1 || count > added.length)
      throw new RangeError(`logits were requested after ${count} of ${added.length} tokens`)
    for (const id of added) checkTokenId(id, config)
    const total = this.length + added.length
    if (total > context) throw contextError(total, context)
    if (this.#changeLength === undefined) return this.#appendAll(added, count)
    const before = this.#changeLength - this.length
    // Logits on both sides of the change are those of two texts.
    if (before > 0 && added.length > before && count > added.length - before) {
      const first = await this.#appendParts(added.slice(0, before), count - (added.length - before))
      const kept = first.map((row) => row.slice())
      return [...kept, ...(await this.#appendParts(added.slice(before), added.length - before))]
    }
    const all = [...this.#ids, ...added]
    const isLong = total > this.#changeLength
    if (isLong === this.#isLong) {
      const rows = await this.#appendAll(added, count)
      this.#ids = all
      return rows
    }
    this.truncate(0)
    this.#isLong = isLong
    const rows = await this.#appendAll(all, count)
    this.#ids = all
    return rows
  }

  /** Appends all of `added` as they are rotated now; logits behind the last `count`. */
  async #appendAll(added: readonly number[], count: number): Promise<Float32Array[]> {
    const wanted: Float32Array[] = []
    for (let from = 0; from < added.length; from += LENGTH_MAX) {
      const part = added.slice(from, from + LENGTH_MAX)
      const ofPart = Math.max(0, part.length - Math.max(0, added.length - count - from))
      const logits = await this.#run(part, Math.max(1, ofPart))
      // A run's output belongs to the executor and is valid until its next run.
      if (ofPart > 0) wanted.push(...logits.map((row) => (count === 1 ? row : row.slice())))
    }
    return wanted
  }

  /** Logits after the last `count` of `ids`. */
  async #run(ids: readonly number[], count: number): Promise<Float32Array[]> {
    const { config, repeatable, shapes, base } = this.#parts
    const cache = this.#cache
    const held = cache.length
    if (repeatable) cache.reserve(held + ids.length)
    const shape = await shapes.get(this.#runShape(ids.length, count, held))
    const { length, rows = 1, placed } = shape
    const feeds = new Map<string, FeedValue>(base)
    if (shape.capacity > 0) for (const [name, array] of cache.feeds()) feeds.set(name, array)
    const inputIds = new Int32Array(length)
    inputIds.set(ids)
    // Padding tokens get the last position, since no table has a row beyond it.
    const positions = Int32Array.from({ length }, (_, row) => held + Math.min(row, ids.length - 1))
    feeds.set('inputIds', inputIds).set('positions', positions)
    const first = ids.length - count
    feeds.set(
      'last',
      Int32Array.from({ length: rows }, (_, row) => Math.min(first + row, ids.length - 1))
    )
    if (placed) feeds.set(PLACEMENT, placementOf(shape, held, ids.length))
    for (const window of shape.windows) feeds.set(maskName(window), decodingMask(shape, held, window))
    const outputs = await shape.graph.run(feeds)
    cache.append(outputs, length, ids.length)
    const logits = outputs.get('logits')!
    const size = config.vocabularySize
    const behind = Array.from({ length: count }, (_, row) => logits.subarray(row * size, (row + 1) * size))
    for (const [row, values] of behind.entries())
      if (!allFinite(values)) throw overflow(`a logit after token ${held + first + row + 1} is not finite`)
    return behind
  }

  #runShape(tokens: number, count: number, held: number): DecodingShape {
    const { config, repeatable } = this.#parts
    const capacity = repeatable || held > 0 ? this.#cache.capacity : 0
    const isLong = this.#isLong
    if (!repeatable) {
      const length = tokens === 1 ? 1 : Math.min(powerOfTwo(tokens), config.maxPositions)
      return { length, capacity, rows: count === 1 ? 1 : Math.min(powerOfTwo(count), length), isLong }
    }
    // A single row is multiplied by different code, which sums in another order.
    const length = powerOfTwo(tokens, RUN_MIN)
    const rows = length <= ALL_ROWS_MAX ? length : powerOfTwo(count, ALL_ROWS_MAX)
    return { length, capacity, rows, placed: true, isLong }
  }
}

/** Compiles decoding graphs as shapes occur, and keeps the latest. */
function createCompiledShapes(config: ModelConfig, executor: Executor) {
  const compiled = new Map<string, CompiledShape>()
  let disposed = false
  return {
    async get(shape: DecodingShape): Promise<CompiledShape> {
      if (disposed) throw new Error('the decoder has been disposed')
      const key = `${shape.length}x${shape.capacity}x${shape.rows}${shape.isLong ? ' long' : ''}`
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

/** The smallest power of two that is at least `count`, from `least` on. */
function powerOfTwo(count: number, least = LENGTH_MIN): number {
  let power = least
  while (power < count) power *= 2
  return power
}

/** The place in the cache of each of `count` new tokens after `held` cached ones, one-hot [capacity, length]. */
function placementOf({ length, capacity }: DecodingShape, held: number, count: number): Float32Array {
  const placement = new Float32Array(capacity * length)
  for (let token = 0; token < count; token++) placement[(held + token) * length + token] = 1
  return placement
}

/**
 * Mask [length, capacity + length] of new tokens after `held` cached ones: each sees the held tokens, itself and the
 * new ones before it, and of these only the last `window`. Of a placed run [length, capacity]; padding tokens attend to
 * places after the others, and nothing reads their results.
 */
export function decodingMask(
  { length, capacity, placed = false }: DecodingShape,
  held: number,
  window = Number.POSITIVE_INFINITY
): Float32Array {
  if (placed) return placedMask(length, capacity, held, window)
  const keys = capacity + length
  const mask = new Float32Array(length * keys).fill(MASKED_SCORE)
  for (let row = 0; row < length; row++) {
    const first = Math.max(0, held + row + 1 - window)
    if (first < held) mask.fill(0, row * keys + first, row * keys + held)
    mask.fill(0, row * keys + capacity + Math.max(0, first - held), row * keys + capacity + row + 1)
  }
  return mask
}

function placedMask(length: number, capacity: number, held: number, window: number): Float32Array {
  const mask = new Float32Array(length * capacity).fill(MASKED_SCORE)
  for (let row = 0; row < length; row++) {
    const end = Math.min(capacity, held + row + 1)
    mask.fill(
      0,
      row * capacity + Math.min(end - 1, Math.max(0, held + row + 1 - window)),
      row * capacity + end
    )
  }
  return mask
}
