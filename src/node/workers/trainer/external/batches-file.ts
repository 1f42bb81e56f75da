import { createHash } from 'node:crypto'
import type { TrainingBatch } from '../../../../data/index.ts'
import { safetensorsHead32 } from '../../../../formats/index.ts'
import { overlappingWindows } from '../../../../model/index.ts'
import { writeFileAtomic } from '../../../storage/atomic-file.ts'
import type { MeasuredText } from '../held-out-reader.ts'

/** A sequence of batches of one shape, created on demand, any number of times. */
export interface Batches {
  readonly count: number
  at(index: number): TrainingBatch
}

/** Tensors of a batches file, in file order. */
const TENSORS = [
  { name: 'input_ids', dtype: 'I32', of: ({ inputIds }: TrainingBatch) => inputIds },
  {
    name: 'segments',
    dtype: 'I32',
    of: ({ segments }: TrainingBatch) => segments && Int32Array.from(segments)
  },
  { name: 'target_ids', dtype: 'I32', of: ({ targetIds }: TrainingBatch) => targetIds },
  { name: 'target_weights', dtype: 'F32', of: ({ targetWeights }: TrainingBatch) => targetWeights }
] as const

/**
 * Writes a batches file (docs/trainers.md, "Batches") with one piece in memory at a time.
 *
 * @returns SHA-256 of the file, hex
 * @throws the signal's reason, if it aborts
 */
export async function writeBatches(path: string, batches: Batches, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const chunks = function* () {
    for (const chunk of chunksOf(batches)) {
      signal.throwIfAborted()
      hash.update(chunk)
      yield chunk
    }
  }
  await writeFileAtomic(path, chunks())
  return hash.digest('hex')
}

function* chunksOf({ count, at }: Batches): Generator<Uint8Array, void, undefined> {
  const first = at(0)
  const tensors = TENSORS.filter(({ of }) => of(first) !== undefined)
  const shape = [count, first.batchSize, first.sequenceLength]
  yield safetensorsHead32(new Map(tensors.map(({ name, dtype }) => [name, { shape, dtype }])))
  const atOnce = Math.max(1, Math.floor(PIECE_BYTES / (4 * first.inputIds.length)))
  for (const { of } of tensors)
    for (let start = 0; start < count; start += atOnce) {
      const steps = Array.from({ length: Math.min(atOnce, count - start) }, (_, k) => of(at(start + k))!)
      yield Buffer.concat(
        steps.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength))
      )
    }
}

/** Small batches are written together. */
const PIECE_BYTES = 1024 * 1024

/** Rows per batch of a measurement, as in the built-in engine. */
const ROWS = 4
const ROW_TOKENS_MAX = 128

/**
 * Batches that score a text like the built-in engine: adjacent rows share one token, and the first token is not scored.
 *
 * @param maxPositions maximum row length of the model
 * @throws {Error} if the text has no token to score
 */
export function textBatches({ ids, scored }: MeasuredText, maxPositions: number): Batches {
  const sequenceLength = Math.min(ROW_TOKENS_MAX, maxPositions)
  const windows = overlappingWindows(ids, sequenceLength)
  const counts = scored === undefined ? undefined : overlappingWindows(scored, sequenceLength)
  if (ids.length < 2 || scored?.slice(1).every((count) => count === 0) === true)
    throw new Error('the held-out text has no token to score')
  return {
    count: Math.ceil(windows.length / ROWS),
    at(index) {
      const size = ROWS * sequenceLength
      const batch = {
        batchSize: ROWS,
        sequenceLength,
        inputIds: new Int32Array(size),
        targetIds: new Int32Array(size),
        targetWeights: new Float32Array(size)
      }
      for (let row = 0; row < ROWS; row++) {
        const window = windows[index * ROWS + row] ?? []
        for (let k = 0; k + 1 < window.length; k++) {
          const at = row * sequenceLength + k
          batch.inputIds[at] = window[k]!
          batch.targetIds[at] = window[k + 1]!
          batch.targetWeights[at] = counts?.[index * ROWS + row]?.[k + 1] ?? 1
        }
      }
      return batch
    }
  }
}
