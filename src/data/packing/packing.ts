import { combineSeeds, seededPermutation } from '../order/seeded-order.ts'
import { type TextTokenizer, textPrefix } from '../text/text-tokenizer.ts'
import type { TrainingBatch } from './training-batch.ts'

/** Options of a batch stream. */
export interface BatchStreamOptions {
  /** Texts, or their tokens if already available. */
  readonly documents: readonly string[] | readonly (readonly number[])[]
  readonly tokenizer: TextTokenizer
  /** Rows per batch. */
  readonly batchSize: number
  /** Scored tokens per row. */
  readonly sequenceLength: number
  readonly seed: number
}

/** An endless, seeded sequence of batches. */
export interface BatchStream {
  /** Batch number `step` (from 0): depends on the options and `step` alone, so that a run can resume anywhere. */
  nextBatch(step: number): TrainingBatch
  /** Rows per epoch. */
  readonly rows: number
  /** Tokens of the corpus, document starts included. */
  readonly tokens: number
}

/**
 * Packs a corpus for next-token training. Each document starts with the tokenizer's beginning-of-sequence id if it has
 * one; documents, in a seeded order, are concatenated and cut into rows of `sequenceLength` + 1 tokens, where the last
 * token of a row is also the first of the next: every token but the very first is a target once per epoch. The last row
 * is padded with weight 0. Each epoch visits all rows in its own seeded order; a batch may span two epochs.
 *
 * @throws {RangeError} when the corpus has fewer than two tokens, or a size is not a positive integer
 */
export function createBatchStream(options: BatchStreamOptions): BatchStream {
  const { batchSize, sequenceLength, seed } = options
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw new RangeError(`batchSize must be a positive integer, got ${batchSize}`)
  if (!Number.isSafeInteger(sequenceLength) || sequenceLength < 1) {
    throw new RangeError(`sequenceLength must be a positive integer, got ${sequenceLength}`)
  }
  const tokens = layEndToEnd(options)
  if (tokens.length < 2) throw new RangeError('a corpus needs at least two tokens to train on')
  const rows = Math.ceil((tokens.length - 1) / sequenceLength)
  const orderOf = rememberLatest((epoch) => seededPermutation(rows, combineSeeds(seed, epoch)))

  return {
    rows,
    tokens: tokens.length,
    nextBatch(step) {
      const shape = batchSize * sequenceLength
      const inputIds = new Int32Array(shape)
      const targetIds = new Int32Array(shape)
      const targetWeights = new Float32Array(shape)
      for (let place = 0; place < batchSize; place++) {
        const visit = step * batchSize + place
        const row = orderOf(Math.floor(visit / rows))[visit % rows]!
        const start = row * sequenceLength
        const length = Math.min(sequenceLength, tokens.length - 1 - start)
        inputIds.set(tokens.subarray(start, start + length), place * sequenceLength)
        targetIds.set(tokens.subarray(start + 1, start + 1 + length), place * sequenceLength)
        targetWeights.fill(1, place * sequenceLength, place * sequenceLength + length)
      }
      return { batchSize, sequenceLength, inputIds, targetIds, targetWeights }
    }
  }
}

/** Tokens of one document, with those that the tokenizer adds before and after every text. */
export function documentTokens(document: string | readonly number[], tokenizer: TextTokenizer): number[] {
  const ids = typeof document === 'string' ? tokenizer.encode(document) : document
  return [...textPrefix(tokenizer), ...ids, ...(tokenizer.suffix ?? [])]
}

function layEndToEnd({ documents, tokenizer, seed }: BatchStreamOptions): Int32Array {
  // A stream number that no epoch uses, so that the order of documents is independent of the order of rows.
  const order = seededPermutation(documents.length, combineSeeds(seed, -1))
  const parts = Array.from(order, (index) => documentTokens(documents[index]!, tokenizer))
  const tokens = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    tokens.set(part, offset)
    offset += part.length
  }
  return tokens
}

/** Keeps the two latest results: batches mostly need one epoch, and two where one ends and the next begins. */
function rememberLatest<T>(compute: (key: number) => T): (key: number) => T {
  const known = new Map<number, T>()
  return (key) => {
    const remembered = known.get(key)
    if (remembered !== undefined) return remembered
    const value = compute(key)
    if (known.size >= 2) known.delete(known.keys().next().value!)
    known.set(key, value)
    return value
  }
}
