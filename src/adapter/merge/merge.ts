import type { Tensor, TensorMap } from '../../formats/tensor.ts'
import { mergeKernel } from '../kernel/merge-kernel.ts'
import type { WeightData, WeightDtype } from '../kernel/weight-data.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import { allFinite, checkPair } from '../pair/check-adapter.ts'
import type { LoraAdapter, LoraPair } from '../pair/lora-adapter.ts'

/** The outcome of a merge. */
export interface MergedModules {
  /** Weights by module name: merged weights are new, those that the adapter does not touch are passed through. */
  readonly modules: Map<string, Tensor>
  /** False when a merged element is NaN or infinite, which makes the round void (rule 7). */
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
    const weight = weightOf(modules, pair)
    const data = mergePair(weight.data, pair)
    finite &&= allFinite(data)
    merged.set(pair.module, { shape: weight.shape, data })
  }
  return { modules: merged, finite }
}

/**
 * The weight that a pair belongs to.
 *
 * @param modules weights [out, in] by module name
 * @throws {AdapterError} when the module is missing or has another shape
 */
export function weightOf(modules: TensorMap, { module, outFeatures, inFeatures }: LoraPair): Tensor {
  const weight = modules.get(module)
  if (weight === undefined) throw new AdapterError(`the base has no module ${module}`)
  if (weight.shape.length !== 2 || weight.shape[0] !== outFeatures || weight.shape[1] !== inFeatures) {
    throw new AdapterError(
      `${module} is [${weight.shape.join(', ')}] in the base, [${outFeatures}, ${inFeatures}] in the adapter`
    )
  }
  return weight
}

/**
 * W + B·A in the one order that every peer uses (the canonical kernel): per element a float32 accumulator from 0, k
 * ascending, multiply rounded, add rounded (no fused multiply-add), then one addition to W.
 *
 * @param weight [out, in] row-major; not changed
 * @param pair of scale 1
 * @throws {AdapterError} when the shapes do not fit or alpha ≠ rank
 */
export function mergePair(weight: Float32Array, pair: LoraPair): Float32Array {
  checkMerge(weight, pair)
  const merged = new Float32Array(weight.length)
  const kernel = mergeKernel()
  kernel.load(pair.A, pair.rank, pair.inFeatures)
  kernel.addRows(weight, merged, pair.B)
  return merged
}

/**
 * {@link mergePair} into the weight itself, which may be binary16 or bfloat16: widened exactly, added to in float32,
 * rounded once, to nearest, ties to even.
 *
 * @param weight [out, in] row-major; changed
 * @param pair of scale 1
 * @throws {AdapterError} when the shapes do not fit or alpha ≠ rank
 */
export function mergePairInPlace(weight: WeightData, pair: LoraPair, dtype: WeightDtype = 'f32'): void {
  checkMerge(weight, pair)
  const kernel = mergeKernel()
  kernel.load(pair.A, pair.rank, pair.inFeatures)
  kernel.addRows(weight, weight, pair.B, dtype)
}

/**
 * Checks that a pair can be merged into a weight.
 *
 * @throws {AdapterError} when the shapes do not fit or alpha ≠ rank
 */
export function checkMerge(weight: { readonly length: number }, pair: LoraPair): void {
  checkPair(pair)
  const { module, rank, alpha, inFeatures, outFeatures } = pair
  if (alpha !== rank) throw new AdapterError(`${module}: only a stack, with its scale folded in, is merged`)
  if (weight.length !== outFeatures * inFeatures)
    throw new AdapterError(`${module}: the weight has another shape`)
}
