import type { LoraAdapter } from '../../src/adapter/pair/lora-adapter.ts'
import type { LoraFactor } from '../../src/adapter/peft/peft-keys.ts'
import type { StackMember } from '../../src/adapter/stack/stack.ts'
import type { Aggregate, AggregationRule } from './aggregation-rule.ts'

const FLOAT32_BYTES = 4

/** Bytes of an adapter's factors in float32. */
export function adapterBytes(adapter: LoraAdapter, factors: readonly LoraFactor[] = ['A', 'B']): number {
  const elements = adapter.pairs.flatMap((pair) => factors.map((factor) => pair[factor].length))
  return FLOAT32_BYTES * elements.reduce((sum, length) => sum + length, 0)
}

/** Bytes of float32 that a member sends under a rule. */
export function bytesUp(rule: AggregationRule, own: LoraAdapter): number {
  return adapterBytes(own, rule.trains)
}

/** Bytes of a round, summed over its members. */
export interface RoundBytes {
  /** What the members send, each its own update once. */
  readonly up: number
  /** What they receive of the result, in total. */
  readonly down: number
}

/**
 * Bytes up and down of a round under a rule, with each member's update sent once and the result received once by each.
 */
export function roundBytes(
  rule: AggregationRule,
  members: readonly StackMember[],
  aggregate: Aggregate
): RoundBytes {
  const sum = (of: (adapter: LoraAdapter) => number) =>
    members.reduce((total, { adapter }) => total + of(adapter), 0)
  return { up: sum((own) => bytesUp(rule, own)), down: sum((own) => rule.bytesDown(aggregate, own, members)) }
}
