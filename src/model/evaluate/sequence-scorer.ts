import type { FeedValue } from '../executor/index.ts'
import { checkTokenId } from '../tokenizer/token-id.ts'
import { createTargetScorer, type TargetScorer, type TargetScorerOptions } from './target-scorer.ts'

/** Shortest row length for which a graph is compiled when lengths differ; longer ones are powers of two times it. */
const LENGTH_MIN = 32

/** Options of a sequence scorer. */
export interface SequenceScorerOptions extends Omit<TargetScorerOptions, 'length' | 'isolateDocuments'> {
  /** Inputs per row; if absent, graphs of several lengths are compiled as needed. */
  readonly length?: number
}

/** Scores token sequences: each token but the first, given those before it. */
export interface SequenceScorer {
  /** Compiles the graph for sequences of `length` inputs now instead of with the first of them. */
  prepare(length: number): Promise<void>
  /**
   * @param sequences token ids; at most one more than a row's inputs
   * @param parameters the graph's feeds besides the tokens
   * @param onRun receives the number of finished sequences before each run of the graph; may throw to stop
   * @returns for each sequence, the log-probabilities of its second to its last token, nats
   * @throws {Error} when an id lies outside the vocabulary, or a sequence is longer than a row
   * @throws what `onRun` throws
   */
  score(
    sequences: readonly ArrayLike<number>[],
    parameters: ReadonlyMap<string, FeedValue>,
    onRun?: (done: number) => void
  ): Promise<Float32Array[]>
  dispose(): Promise<void>
}

/** Creates a scorer that compiles a graph with the first sequences of its length. */
export function createSequenceScorer({ length: fixed, ...options }: SequenceScorerOptions): SequenceScorer {
  const { config, rows } = options
  const compiled = new Map<number, Promise<TargetScorer>>()

  const scorerOf = (length: number): Promise<TargetScorer> => {
    const known = compiled.get(length) ?? createTargetScorer({ ...options, length })
    compiled.set(length, known)
    known.catch(() => compiled.delete(length))
    return known
  }

  const rowLength = (inputs: number): number => {
    const length = fixed ?? Math.min(config.maxPositions, powerOfTwo(inputs))
    if (inputs <= length) return length
    throw new Error(`a sequence of ${inputs + 1} tokens is longer than a row of ${length}`)
  }

  return {
    async prepare(length) {
      await scorerOf(rowLength(length))
    },
    async score(sequences, parameters, onRun) {
      for (const sequence of sequences)
        for (let index = 0; index < sequence.length; index++) checkTokenId(sequence[index]!, config)
      const lengths = sequences.map(({ length }) => rowLength(length - 1))
      const results = new Array<Float32Array>(sequences.length).fill(new Float32Array(0))
      // Rows of equal length together, the longest first, so that running out of memory shows at once.
      const order = [...sequences.keys()]
        .filter((index) => sequences[index]!.length > 1)
        .sort((a, b) => lengths[b]! - lengths[a]! || a - b)
      for (let start = 0; start < order.length; ) {
        onRun?.(start)
        const length = lengths[order[start]!]!
        const same = order.slice(start, start + rows).filter((index) => lengths[index] === length)
        const scorer = await scorerOf(length)
        const all = await scorer.run(
          fillRows(
            same.map((index) => sequences[index]!),
            rows,
            length
          ),
          parameters
        )
        for (const [row, index] of same.entries())
          results[index] = all.slice(row * length, row * length + sequences[index]!.length - 1)
        start += same.length
      }
      onRun?.(order.length)
      return results
    },
    async dispose() {
      const scorers = [...compiled.values()]
      compiled.clear()
      for (const scorer of scorers) await (await scorer).dispose()
    }
  }
}

/** Sequences as rows: all tokens but the last are inputs, all but the first are targets; the rest is 0. */
function fillRows(
  sequences: readonly ArrayLike<number>[],
  rows: number,
  length: number
): { readonly inputIds: Int32Array; readonly targetIds: Int32Array } {
  const inputIds = new Int32Array(rows * length)
  const targetIds = new Int32Array(rows * length)
  for (const [row, sequence] of sequences.entries())
    for (let index = 1; index < sequence.length; index++) {
      inputIds[row * length + index - 1] = sequence[index - 1]!
      targetIds[row * length + index - 1] = sequence[index]!
    }
  return { inputIds, targetIds }
}

/** The smallest power of two that is at least `count`, from LENGTH_MIN on. */
function powerOfTwo(count: number): number {
  return Math.max(LENGTH_MIN, 2 ** Math.ceil(Math.log2(Math.max(1, count))))
}

/**
 * Windows that score every token of a text but the first exactly once: the last token of a window is the first of the
 * next, which has no earlier context.
 *
 * @param length inputs per window
 */
export function overlappingWindows(ids: ArrayLike<number>, length: number): ArrayLike<number>[] {
  const all = Array.from(ids)
  const windows: number[][] = []
  for (let start = 0; start < all.length - 1; start += length)
    windows.push(all.slice(start, start + length + 1))
  return windows
}
