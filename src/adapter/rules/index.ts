/**
 * Aggregation rules by name.
 *
 * @example
 * ```ts
 * const { tensors, finite } = aggregationRule('flora').aggregate(members)
 * ```
 */

import { AdapterError } from '../adapter-error.ts'
import type { AggregationRule } from './aggregation-rule.ts'
import { flora } from './flora.ts'

export type { AggregationRule } from './aggregation-rule.ts'
export { flora } from './flora.ts'

/** Every rule there is, by the name a charter uses. */
export const AGGREGATION_RULES: ReadonlyMap<string, AggregationRule> = new Map([[flora.name, flora]])

/**
 * The rule of that name.
 *
 * @throws {AdapterError} listing the names there are
 */
export function aggregationRule(name: string): AggregationRule {
  const rule = AGGREGATION_RULES.get(name)
  if (rule === undefined) {
    const names = [...AGGREGATION_RULES.keys()].join(', ')
    throw new AdapterError(`there is no aggregation rule ${JSON.stringify(name)}; there are: ${names}`)
  }
  return rule
}
