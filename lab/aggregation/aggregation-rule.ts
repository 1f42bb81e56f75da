import type { LoraAdapter } from '../../src/adapter/pair/lora-adapter.ts'
import type { LoraFactor } from '../../src/adapter/peft/peft-keys.ts'
import type { StackMember, StackOptions } from '../../src/adapter/stack/stack.ts'
import type { Tensor } from '../../src/formats/tensor.ts'

/** How to aggregate. */
export interface AggregationOptions extends StackOptions {
  /**
   * `florist`: the fraction of ‖ΔW‖² per module that the kept singular values must contain, in (0, 1]; 0.99 by default.
   * 1 keeps every singular value above rounding.
   */
  readonly energy?: number
}

/** The result of a rule on a cut: the global update ΔW = B·A + residual, relative to the base that was trained on. */
export interface Aggregate {
  /** The low-rank part, its scale folded in: alpha = rank. Sorted by module. */
  readonly adapter: LoraAdapter
  /** The dense part [out, in] by module; empty for most rules. It is added to the base before B·A. */
  readonly residual: ReadonlyMap<string, Tensor>
  /** All of it by name, sharing memory: PEFT keys, and `base_model.model.<module>.residual.weight`. */
  readonly tensors: Map<string, Tensor>
  /** Rank of the low-rank part by module. */
  readonly ranks: ReadonlyMap<string, number>
  /** False when a coefficient or element is NaN or infinite, which makes the round void (rule 7). */
  readonly finite: boolean
}

/** The starting point of a member in a round. */
export interface RoundStart {
  /** Low-rank update to merge into the base first. */
  readonly merge: LoraAdapter
  /** Dense update to add to the base before that, by module. */
  readonly residual: ReadonlyMap<string, Tensor>
  /**
   * Pairs to start from, with the member's own ranks and alphas; a module without one starts fresh (A random, B = 0).
   * Undefined: every module does.
   */
  readonly adapter: LoraAdapter | undefined
}

/** A way to combine the members' adapters into one global update. All members use the same. */
export interface AggregationRule {
  /** Its name. */
  readonly name: string
  /** Factors that members train and send; one that is left out is frozen and shared by all (ffa). */
  readonly trains: readonly LoraFactor[]
  /**
   * Aggregates a cut: a pure function of the set of members, the same bits on every machine.
   *
   * @throws {AdapterError} for a cut that the rule cannot aggregate
   */
  aggregate(members: readonly StackMember[], options?: AggregationOptions): Aggregate
  /**
   * The starting point of the next round for a member, according to the rule's authors.
   *
   * @param own the adapter that the member trained last: gives its modules, ranks and alphas
   */
  start(aggregate: Aggregate, own: LoraAdapter, options?: AggregationOptions): RoundStart
  /** Bytes of a round's result, in float32, that one member receives. */
  bytesDown(aggregate: Aggregate, own: LoraAdapter, members: readonly StackMember[]): number
}
