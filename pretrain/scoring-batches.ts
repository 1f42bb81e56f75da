import type { TrainingBatch } from '../src/data/index.ts'

/**
 * Batches that score every token of some sequences but each sequence's first exactly once, as the count models do: a
 * sequence is cut into windows of `sequenceLength` inputs, the last token of one window being the first input of the
 * next. A window sees nothing before its start. Rows and places that are left over have weight 0.
 */
export function* scoringBatches(
  sequences: readonly (readonly number[])[],
  batchSize: number,
  sequenceLength: number
): Generator<TrainingBatch> {
  const windows: (readonly number[])[] = []
  for (const sequence of sequences) {
    for (let start = 0; start < sequence.length - 1; start += sequenceLength) {
      windows.push(sequence.slice(start, start + sequenceLength + 1))
    }
  }
  for (let first = 0; first < windows.length; first += batchSize) {
    const inputIds = new Int32Array(batchSize * sequenceLength)
    const targetIds = new Int32Array(batchSize * sequenceLength)
    const targetWeights = new Float32Array(batchSize * sequenceLength)
    windows.slice(first, first + batchSize).forEach((window, row) => {
      inputIds.set(window.slice(0, -1), row * sequenceLength)
      targetIds.set(window.slice(1), row * sequenceLength)
      targetWeights.fill(1, row * sequenceLength, row * sequenceLength + window.length - 1)
    })
    yield { batchSize, sequenceLength, inputIds, targetIds, targetWeights }
  }
}
