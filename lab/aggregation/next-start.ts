import { productSvd } from '../../src/adapter/low-rank/product-svd.ts'
import type { LoraAdapter, LoraPair } from '../../src/adapter/pair/lora-adapter.ts'
import type { Aggregate, AggregationOptions, AggregationRule, RoundStart } from './aggregation-rule.ts'
import { NEGLIGIBLE } from './florist.ts'
import { mergeAll } from './starts.ts'

/**
 * The start of the next round. In the last three the whole update is merged into the base and B is 0, so the model is
 * the same and only the directions of A differ:
 *
 * - `rule`: as the rule's authors define it
 * - `fresh`: A random
 * - `svd`: the leading right singular vectors of the global update, as long as a random row is on average
 * - `carry`: the member's own A, as trained
 */
export type Init = (typeof INITS)[number]
export const INITS = ['rule', 'fresh', 'svd', 'carry'] as const

/** Expected length of a row of A drawn Kaiming-uniform, ±1/√in: √(in · 1/(3·in)). */
const ROW_LENGTH = 1 / Math.sqrt(3)

/**
 * The starting point of a member in the next round.
 *
 * @param own the adapter that the member trained last
 */
export function nextStart(
  rule: AggregationRule,
  aggregate: Aggregate,
  own: LoraAdapter,
  init: Init = 'rule',
  options: AggregationOptions = {}
): RoundStart {
  if (init === 'rule') return rule.start(aggregate, own, options)
  const start = mergeAll(aggregate)
  if (init === 'fresh') return start
  const still = own.pairs.map((pair) => ({ ...pair, B: new Float32Array(pair.B.length) }))
  if (init === 'carry') return { ...start, adapter: { pairs: still } }
  const global = new Map(aggregate.adapter.pairs.map((pair) => [pair.module, pair]))
  const pairs = still.map((pair) => {
    const update = global.get(pair.module)
    return update === undefined ? pair : { ...pair, A: leadingRows(update, pair) }
  })
  return { ...start, adapter: { pairs } }
}

/**
 * If the update has fewer directions than the member has rows, the member's own rows stay, since a zero row never
 * learns.
 */
function leadingRows(update: LoraPair, own: LoraPair): Float32Array {
  const { sigma, V } = productSvd(update)
  const A = own.A.slice()
  for (let k = 0; k < Math.min(own.rank, sigma.length); k++) {
    if (!(sigma[k]! > NEGLIGIBLE * sigma[0]!)) break
    for (let j = 0; j < own.inFeatures; j++) A[k * own.inFeatures + j] = ROW_LENGTH * V.data[k * V.rows + j]!
  }
  return A
}
