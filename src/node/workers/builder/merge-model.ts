import { AdapterError, allFinite, type LoraAdapter, type LoraPair } from '../../../adapter/index.ts'
import { compareStrings, float32Bytes, safetensorsHead } from '../../../formats/index.ts'
import type { LinearWeights } from '../../../model/index.ts'
import type { MergeThreads } from './merge-threads.ts'

/** Bytes of a weight in memory at a time. */
const PIECE_BYTES = 8 * 1024 * 1024

/** Some merged element is NaN or infinite: the round is void (rule 7 *Build is total*). */
export class NotFiniteError extends Error {
  override name = 'NotFiniteError'
}

/**
 * The canonical file of the merged modules, piece by piece: the weights pass through memory {@link PIECE_BYTES} at a
 * time while B·A is added on several threads. The bits are those of `mergeAdapter`.
 *
 * @param weights the weights that the round started from
 * @param modules all modules of the file, adapted or not
 * @returns chunks, each valid until the next
 * @throws {AdapterError} when the adapter does not fit the weights
 * @throws {NotFiniteError} when some merged element is not finite
 */
export async function* mergedModelChunks(
  weights: LinearWeights,
  modules: readonly string[],
  adapter: LoraAdapter,
  threads: MergeThreads
): AsyncGenerator<Uint8Array, void, undefined> {
  const sorted = modules.map((module) => `${module}.weight`).sort(compareStrings)
  const shapes = new Map(modules.map((module) => [`${module}.weight`, weights.shapeOf(module)]))
  const pairs = new Map(adapter.pairs.map((pair) => [pair.module, pair]))
  for (const pair of pairs.values()) checkShape(weights.shapeOf(pair.module), pair)
  yield safetensorsHead(shapes)
  const largest = Math.max(
    ...[...shapes.values()].map(([rows, columns]) => rowsAtOnce(columns, rows) * columns)
  )
  const memory = new Float32Array(new SharedArrayBuffer(4 * largest))
  for (const name of sorted) {
    const module = name.slice(0, -'.weight'.length)
    const [rows, columns] = shapes.get(name)!
    const pair = pairs.get(module)
    const step = rowsAtOnce(columns, rows)
    for (let row = 0; row < rows; row += step) {
      const piece = memory.subarray(0, Math.min(step, rows - row) * columns)
      weights.readRows(module, row, piece)
      if (pair !== undefined) await threads.merge(piece, pair, row)
      if (pair !== undefined && !allFinite(piece)) throw new NotFiniteError(`${module} is not finite`)
      yield float32Bytes(piece)
    }
  }
}

function rowsAtOnce(columns: number, rows: number): number {
  return Math.min(rows, Math.max(1, Math.floor(PIECE_BYTES / 4 / columns)))
}

function checkShape([rows, columns]: readonly [number, number], pair: LoraPair): void {
  if (rows !== pair.outFeatures || columns !== pair.inFeatures)
    throw new AdapterError(
      `${pair.module} is [${rows}, ${columns}] in the base, [${pair.outFeatures}, ${pair.inFeatures}] in the adapter`
    )
}
