import { stackKernel } from '../kernel/stack-kernel.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import type { LoraPair } from '../pair/lora-adapter.ts'

/** A pair and the float32 factor by which its A is multiplied. */
export interface WeightedPair {
  readonly pair: LoraPair
  readonly coefficient: number
}

/**
 * Joins pairs of one module: A = [c_1·A_1 ; … ; c_K·A_K] by rows, B = [B_1 | … | B_K] by columns (FLoRA, equation 7),
 * so that B·A = Σ c_k B_k A_k without cross terms. Each element of A is one float32 multiplication; B is copied. The
 * result has alpha = rank: its scale is 1.
 *
 * @throws {AdapterError} when the pairs differ in module or shape
 */
export function joinPairs(parts: readonly WeightedPair[]): LoraPair {
  return joinAndCheck(parts).pair
}

/**
 * {@link joinPairs}, and whether every element of the result is finite, which costs nothing to find out on the way.
 *
 * @throws {AdapterError} as there
 */
export function joinAndCheck(parts: readonly WeightedPair[]): {
  readonly pair: LoraPair
  readonly finite: boolean
} {
  const first = parts[0]?.pair
  if (first === undefined) throw new AdapterError('no pairs to join')
  const { module, inFeatures, outFeatures } = first
  for (const { pair } of parts) {
    if (pair.module !== module) throw new AdapterError(`${pair.module} cannot be joined with ${module}`)
    if (pair.inFeatures !== inFeatures || pair.outFeatures !== outFeatures) {
      throw new AdapterError(
        `${module} is ${pair.outFeatures} × ${pair.inFeatures} in one adapter, ${outFeatures} × ${inFeatures} in another`
      )
    }
  }
  const rank = parts.reduce((sum, { pair }) => sum + pair.rank, 0)
  const A = unwritten(rank * inFeatures)
  const B = unwritten(outFeatures * rank)
  const kernel = stackKernel()
  let finite = true
  let row = 0
  for (const { pair, coefficient } of parts) {
    const rows = A.subarray(row * inFeatures, (row + pair.rank) * inFeatures)
    if (!kernel.scale(pair.A, rows, coefficient)) finite = false
    row += pair.rank
  }
  const columns = parts.map(({ pair }) => pair.B)
  if (!kernel.join(columns, outFeatures, B)) finite = false
  return { pair: { module, rank, alpha: rank, inFeatures, outFeatures, A, B }, finite }
}

/** Uninitialised memory for float32: every element is about to be written, and zeroing it first takes as long again. */
function unwritten(length: number): Float32Array {
  return new Float32Array(Buffer.allocUnsafeSlow(4 * length).buffer, 0, length)
}
