import { combineSeeds, seededPermutation } from '../order/seeded-order.ts'
import type { TokenizedExample } from '../records/tokenize-example.ts'
import type { TrainingBatch } from './training-batch.ts'

/** How examples are packed into rows. */
export const PACKINGS = ['across', 'isolated', 'none'] as const
/**
 * `across`: end to end, cut at every row's end, each token attends to everything before it. `isolated`: whole examples
 * side by side, each attending to itself only. `none`: one example a row. In the latter two, an example longer than a
 * row is cut into pieces.
 */
export type Packing = (typeof PACKINGS)[number]

/** Options of an example stream. */
export interface ExampleStreamOptions {
  readonly examples: readonly TokenizedExample[]
  readonly packing: Packing
  /** Rows per batch. */
  readonly batchSize: number
  /** Tokens per row. */
  readonly sequenceLength: number
  readonly seed: number
}

/** An endless, seeded sequence of batches. */
export interface ExampleStream {
  /** Batch number `index` (from 0): depends on the options and `index` alone, so that a run can resume anywhere. */
  nextBatch(index: number): TrainingBatch
  /** Rows per epoch. */
  readonly rows: number
  /** Targets per epoch. */
  readonly targets: number
}

/** A piece of an example in a row: its inputs are tokens [start, end), its targets the tokens after them. */
interface Piece {
  readonly example: number
  readonly start: number
  readonly end: number
}

/**
 * Rows of examples for next-token training, in an order drawn again for every epoch; a batch may span two epochs.
 *
 * @throws {RangeError} when there is nothing to learn, or a size is not a positive integer
 */
export function createExampleStream(options: ExampleStreamOptions): ExampleStream {
  const { examples, packing, batchSize, sequenceLength, seed } = options
  for (const [name, size] of Object.entries({ batchSize, sequenceLength }))
    if (!Number.isSafeInteger(size) || size < 1)
      throw new RangeError(`${name} must be a positive integer, got ${size}`)
  // A stream number that no epoch uses, so that the order of examples is independent of the order of rows.
  const order = Array.from(seededPermutation(examples.length, combineSeeds(seed, -1)))
  const whole = packing === 'across' ? joinExamples(examples, order) : examples
  const pieces = packing === 'across' ? [0] : order
  const cut = pieces.flatMap((index) => cutExample(whole[index]!, index, sequenceLength))
  const useful = cut.filter((piece) => hasTarget(whole[piece.example]!, piece))
  if (useful.length === 0)
    throw new RangeError('the data contains nothing to learn: no example has two tokens')
  const rows = packing === 'isolated' ? fitIntoRows(useful, sequenceLength) : useful.map((piece) => [piece])
  let epochKnown = -1
  let epochOrder: Uint32Array = new Uint32Array(0)
  const rowOf = (visit: number): readonly Piece[] => {
    const epoch = Math.floor(visit / rows.length)
    if (epoch !== epochKnown) {
      epochOrder = seededPermutation(rows.length, combineSeeds(seed, epoch))
      epochKnown = epoch
    }
    return rows[epochOrder[visit % rows.length]!]!
  }

  return {
    rows: rows.length,
    targets: useful.reduce((sum, piece) => sum + countTargets(whole[piece.example]!, piece), 0),
    nextBatch(index) {
      const size = batchSize * sequenceLength
      const batch = {
        batchSize,
        sequenceLength,
        inputIds: new Int32Array(size),
        targetIds: new Int32Array(size),
        targetWeights: new Float32Array(size),
        ...(packing === 'isolated' ? { segments: new Float32Array(size) } : {})
      }
      for (let place = 0; place < batchSize; place++) {
        let at = place * sequenceLength
        for (const [number, piece] of rowOf(index * batchSize + place).entries()) {
          const { ids, weights } = whole[piece.example]!
          batch.inputIds.set(ids.subarray(piece.start, piece.end), at)
          batch.targetIds.set(ids.subarray(piece.start + 1, piece.end + 1), at)
          batch.targetWeights.set(weights.subarray(piece.start + 1, piece.end + 1), at)
          // 0 marks padding.
          batch.segments?.fill(number + 1, at, at + piece.end - piece.start)
          at += piece.end - piece.start
        }
      }
      return batch
    }
  }
}

/** All examples end to end, as one. An example's first token is a target if another example precedes it. */
function joinExamples(examples: readonly TokenizedExample[], order: readonly number[]): TokenizedExample[] {
  const length = examples.reduce((sum, { ids }) => sum + ids.length, 0)
  const ids = new Int32Array(length)
  const weights = new Uint8Array(length)
  let at = 0
  for (const index of order) {
    const example = examples[index]!
    ids.set(example.ids, at)
    weights.set(example.weights, at)
    // In an example that is learned as a whole, only the first token is not a target, for lack of a predecessor.
    if (at > 0 && example.weights.subarray(1).every((weight) => weight === 1)) weights[at] = 1
    at += example.ids.length
  }
  return [{ ids, weights }]
}

function cutExample({ ids }: TokenizedExample, example: number, sequenceLength: number): Piece[] {
  const pieces: Piece[] = []
  for (let start = 0; start < ids.length - 1; start += sequenceLength)
    pieces.push({ example, start, end: Math.min(ids.length - 1, start + sequenceLength) })
  return pieces
}

/** First fit: each piece goes into the first open row that has room for it. */
function fitIntoRows(pieces: readonly Piece[], sequenceLength: number): Piece[][] {
  const rows: Piece[][] = []
  let open: { row: Piece[]; room: number }[] = []
  for (const piece of pieces) {
    const length = piece.end - piece.start
    let fitting = open.find(({ room }) => room >= length)
    if (!fitting) {
      fitting = { row: [], room: sequenceLength }
      rows.push(fitting.row)
      open.push(fitting)
      // Only the latest rows stay open, which keeps the search short on large corpora.
      if (open.length > OPEN_ROWS_MAX) open = open.slice(-OPEN_ROWS_MAX)
    }
    fitting.row.push(piece)
    fitting.room -= length
  }
  return rows
}

const OPEN_ROWS_MAX = 64

function countTargets({ weights }: TokenizedExample, { start, end }: Piece): number {
  return weights.subarray(start + 1, end + 1).reduce((sum, weight) => sum + weight, 0)
}

function hasTarget(example: TokenizedExample, piece: Piece): boolean {
  return countTargets(example, piece) > 0
}
