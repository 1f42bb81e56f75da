import { AdapterError } from './adapter-error.ts'
import { allFinite, checkPair } from './check-adapter.ts'
import type { LoraAdapter, LoraPair } from './lora-adapter.ts'
import type { Tensor, TensorMap } from './tensor.ts'

/** The outcome of a merge. */
export interface MergedModules {
  /** Weights by module name: merged ones are new, those the adapter does not touch are passed through. */
  readonly modules: Map<string, Tensor>
  /** False when some merged element is NaN or infinite: the round is void then (rule 7). */
  readonly finite: boolean
}

/**
 * Merges an adapter of scale 1 (a stack) into base weights: W + B·A per module, in the order of {@link mergePair}.
 *
 * @param modules weights [out, in] by module name; not changed
 * @throws {AdapterError} when a module is missing, its shape differs, or its pair has alpha ≠ rank
 */
export function mergeAdapter(modules: TensorMap, adapter: LoraAdapter): MergedModules {
  const merged = new Map(modules)
  let finite = true
  for (const pair of adapter.pairs) {
    const weight = modules.get(pair.module)
    if (weight === undefined) throw new AdapterError(`the base has no module ${pair.module}`)
    const { outFeatures, inFeatures } = pair
    if (weight.shape.length !== 2 || weight.shape[0] !== outFeatures || weight.shape[1] !== inFeatures) {
      throw new AdapterError(
        `${pair.module} is [${weight.shape.join(', ')}] in the base, [${outFeatures}, ${inFeatures}] in the adapter`
      )
    }
    const data = mergePair(weight.data, pair)
    finite &&= allFinite(data)
    merged.set(pair.module, { shape: weight.shape, data })
  }
  return { modules: merged, finite }
}

/**
 * W + B·A with the one order that every peer uses: per element a float32 accumulator from 0, k ascending, multiply
 * rounded, add rounded (no fused multiply-add), then one addition to W.
 *
 * @param weight [out, in] row-major; not changed
 * @param pair of scale 1
 * @throws {AdapterError} when the shapes do not fit or alpha ≠ rank
 */
export function mergePair(weight: Float32Array, pair: LoraPair): Float32Array {
  checkPair(pair)
  const { module, rank, alpha, inFeatures, outFeatures, A, B } = pair
  if (alpha !== rank) throw new AdapterError(`${module}: only a stack, with its scale folded in, is merged`)
  if (weight.length !== outFeatures * inFeatures)
    throw new AdapterError(`${module}: the weight has another shape`)
  const merged = new Float32Array(weight.length)
  const row = new Float32Array(inFeatures)
  for (let i = 0; i < outFeatures; i++) {
    row.fill(0)
    for (let k = 0; k < rank; k += 4) {
      // Four k at a time save three of four loads and stores of `row`; each element still sees k in ascending order.
      if (k + 4 <= rank) addFourRows(row, A, k * inFeatures, B, i * rank + k)
      else for (let rest = k; rest < rank; rest++) addRow(row, A, rest * inFeatures, B[i * rank + rest]!)
    }
    const start = i * inFeatures
    for (let j = 0; j < inFeatures; j++) merged[start + j] = weight[start + j]! + row[j]!
  }
  return merged
}

/** row += b · A[start …]. */
function addRow(row: Float32Array, A: Float32Array, start: number, b: number): void {
  for (let j = 0; j < row.length; j++) row[j] = row[j]! + Math.fround(b * A[start + j]!)
}

/** Four times {@link addRow}, for the four consecutive rows of A from `start` and elements of B from `column`. */
function addFourRows(
  row: Float32Array,
  A: Float32Array,
  start: number,
  B: Float32Array,
  column: number
): void {
  const n = row.length
  const b0 = B[column]!
  const b1 = B[column + 1]!
  const b2 = B[column + 2]!
  const b3 = B[column + 3]!
  for (let j = 0; j < n; j++) {
    let sum = Math.fround(row[j]! + Math.fround(b0 * A[start + j]!))
    sum = Math.fround(sum + Math.fround(b1 * A[start + n + j]!))
    sum = Math.fround(sum + Math.fround(b2 * A[start + 2 * n + j]!))
    row[j] = sum + Math.fround(b3 * A[start + 3 * n + j]!)
  }
}
