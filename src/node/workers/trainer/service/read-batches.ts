import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { TrainingBatch } from '../../../../data/index.ts'
import { parseSafetensorsHeader, type SafetensorsEntry } from '../../../../formats/index.ts'
import { messageOf } from '../../../storage/peer-error.ts'
import type { Batches } from '../external/batches-file.ts'

/** Header of a batches file: four tensors. */
const HEADER_BYTES = 4096

/** An open batches file. */
export interface OpenBatches extends Batches {
  readonly batchSize: number
  readonly sequenceLength: number
  /** Whether a token attends only to its own document. */
  readonly isIsolated: boolean
  close(): void
}

/**
 * Opens a batches file (docs/trainers.md, "Batches"). Batches are read on demand.
 *
 * @throws {Error} if the file is damaged or lacks a tensor
 */
export function openBatches(path: string): OpenBatches {
  const file = openSync(path, 'r')
  try {
    const head = Buffer.alloc(HEADER_BYTES)
    const read = readSync(file, head, 0, HEADER_BYTES, 0)
    const entries = new Map(
      headerOf(head.subarray(0, read), path, fstatSync(file).size).map((entry) => [entry.name, entry])
    )
    const first = entries.get('input_ids')
    if (first?.shape.length !== 3) throw new Error(`${path} has no input_ids [steps, batch, sequence]`)
    const [count, batchSize, sequenceLength] = first.shape as [number, number, number]
    const bytes = 4 * batchSize * sequenceLength
    const values = (name: string, index: number): ArrayBuffer => {
      const entry = entries.get(name)
      if (entry === undefined || entry.shape.join() !== first.shape.join())
        throw new Error(`${path} has no ${name} with the shape of input_ids`)
      const buffer = new ArrayBuffer(bytes)
      const found = readSync(file, new Uint8Array(buffer), 0, bytes, entry.begin + index * bytes)
      if (found !== bytes) throw new Error(`${path} is truncated`)
      return buffer
    }
    const isIsolated = entries.has('segments')
    return {
      count,
      batchSize,
      sequenceLength,
      isIsolated,
      at: (index): TrainingBatch => ({
        batchSize,
        sequenceLength,
        inputIds: new Int32Array(values('input_ids', index)),
        targetIds: new Int32Array(values('target_ids', index)),
        targetWeights: new Float32Array(values('target_weights', index)),
        ...(isIsolated && { segments: Float32Array.from(new Int32Array(values('segments', index))) })
      }),
      close: () => closeSync(file)
    }
  } catch (error) {
    closeSync(file)
    throw error
  }
}

function headerOf(head: Uint8Array, path: string, size: number): readonly SafetensorsEntry[] {
  try {
    return parseSafetensorsHeader(head, HEADER_BYTES, size).entries
  } catch (error) {
    throw new Error(`${path} is not a batches file: ${messageOf(error)}`)
  }
}
