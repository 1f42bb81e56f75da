import { compareStrings } from '../../formats/compare-strings.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import { checkAdapter } from '../pair/check-adapter.ts'
import type { LoraAdapter } from '../pair/lora-adapter.ts'
import { joinPairs } from './join-pairs.ts'

/**
 * One adapter that is the sum of several, for instance the stacks of all rounds so far: rows of A and columns of B one
 * after the other, every element unchanged. Its rank is the sum of the ranks, its scale 1.
 *
 * @throws {AdapterError} when an adapter has a scale other than 1, or a module's shape differs between adapters
 */
export function concatenateAdapters(adapters: readonly LoraAdapter[]): LoraAdapter {
  const pairs = adapters.flatMap((adapter) => checkAdapter(adapter).pairs)
  for (const { module, rank, alpha } of pairs) {
    if (alpha !== rank)
      throw new AdapterError(`${module}: alpha ${alpha} ≠ rank ${rank}; fold the scale into A first`)
  }
  const modules = [...new Set(pairs.map(({ module }) => module))].sort(compareStrings)
  return {
    pairs: modules.map((module) =>
      joinPairs(pairs.filter((pair) => pair.module === module).map((pair) => ({ pair, coefficient: 1 })))
    )
  }
}
