import type { Stack, StackMember, StackOptions } from '../stack.ts'

/** A way to make one global adapter of the members' adapters. The charter names it; all peers use the same. */
export interface AggregationRule {
  /** As a charter writes it. */
  readonly name: string
  /**
   * Aggregates a cut: a pure function of the set of members, the same bits on every machine.
   *
   * @throws {AdapterError} for a cut that cannot be aggregated
   */
  aggregate(members: readonly StackMember[], options?: StackOptions): Stack
}
