import { compareStrings } from '../../formats/compare-strings.ts'
import { AdapterError } from './adapter-error.ts'
import type { LoraAdapter, LoraPair } from './lora-adapter.ts'

/**
 * Checks that a pair's numbers fit together: positive whole rank and features, positive finite alpha, A [rank, in],
 * B [out, rank].
 *
 * @throws {AdapterError} naming the module
 */
export function checkPair(pair: LoraPair): void {
  const { module, rank, alpha, inFeatures, outFeatures, A, B } = pair
  for (const [name, value] of Object.entries({ rank, inFeatures, outFeatures })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new AdapterError(`${module}: ${name} must be a positive integer, got ${value}`)
  }
  if (!Number.isFinite(alpha) || alpha <= 0)
    throw new AdapterError(`${module}: alpha must be a positive number, got ${alpha}`)
  if (A.length !== rank * inFeatures) {
    throw new AdapterError(`${module}: A has ${A.length} elements, not ${rank} × ${inFeatures}`)
  }
  if (B.length !== outFeatures * rank) {
    throw new AdapterError(`${module}: B has ${B.length} elements, not ${outFeatures} × ${rank}`)
  }
}

/**
 * Checks every pair, and that no module is repeated.
 *
 * @returns the adapter with its pairs sorted by module
 * @throws {AdapterError} naming the module
 */
export function checkAdapter(adapter: LoraAdapter): LoraAdapter {
  const pairs = [...adapter.pairs].sort((a, b) => compareStrings(a.module, b.module))
  for (const [i, pair] of pairs.entries()) {
    checkPair(pair)
    if (pair.module === pairs[i - 1]?.module) throw new AdapterError(`the module ${pair.module} is repeated`)
  }
  return { pairs }
}

/** Whether every element is finite. */
export function allFinite(values: Float32Array): boolean {
  // x - x is 0 for a finite x and NaN otherwise; a sum keeps a NaN, and has no branch in the loop.
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! - values[i]!
  return sum === 0
}

/** Whether every element of both factors is finite. */
export function isFinitePair({ A, B }: Pick<LoraPair, 'A' | 'B'>): boolean {
  return allFinite(A) && allFinite(B)
}
