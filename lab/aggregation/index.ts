/**
 * Aggregation rules by name: each combines the members' adapters into one global update, and defines the start of the
 * next round and the cost of sending.
 *
 * @example
 * ```ts
 * const rule = aggregationRule('flora')
 * const aggregate = rule.aggregate(members)
 * console.log(aggregationError(aggregate, members), roundBytes(rule, members, aggregate))
 * ```
 */

import { AdapterError } from '../../src/adapter/pair/adapter-error.ts'
import type { AggregationRule } from './aggregation-rule.ts'
import { fedex } from './fedex.ts'
import { fedit } from './fedit.ts'
import { ffa } from './ffa.ts'
import { flexlora } from './flexlora.ts'
import { flora } from './flora.ts'
import { florist } from './florist.ts'
import { zeroPad } from './zero-pad.ts'

export { aggregationError } from './aggregation-error.ts'
export type { Aggregate, AggregationOptions, AggregationRule, RoundStart } from './aggregation-rule.ts'
export { adapterBytes, bytesUp, type RoundBytes, roundBytes } from './bytes.ts'
export { fedex } from './fedex.ts'
export { fedit } from './fedit.ts'
export { ffa } from './ffa.ts'
export { flexlora } from './flexlora.ts'
export { flora } from './flora.ts'
export { DEFAULT_ENERGY, florist, rankOfEnergy } from './florist.ts'
export { INITS, type Init, nextStart } from './next-start.ts'
export { zeroPad } from './zero-pad.ts'

/** All rules, by name. */
export const AGGREGATION_RULES: ReadonlyMap<string, AggregationRule> = new Map(
  [flora, fedit, zeroPad, ffa, fedex, florist, flexlora].map((rule) => [rule.name, rule])
)

/**
 * The rule of that name.
 *
 * @throws {AdapterError} listing the known names
 */
export function aggregationRule(name: string): AggregationRule {
  const rule = AGGREGATION_RULES.get(name)
  if (rule === undefined) {
    const names = [...AGGREGATION_RULES.keys()].join(', ')
    throw new AdapterError(`unknown aggregation rule ${JSON.stringify(name)}, expected one of: ${names}`)
  }
  return rule
}
