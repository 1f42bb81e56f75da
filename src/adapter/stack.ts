import { AdapterError } from './adapter-error.ts'
import { adapterTensors } from './adapter-tensors.ts'
import { checkAdapter, isFinitePair } from './check-adapter.ts'
import { compareStrings } from './compare-strings.ts'
import { joinPairs, type WeightedPair } from './join-pairs.ts'
import type { LoraAdapter, LoraPair } from './lora-adapter.ts'
import type { Tensor } from './tensor.ts'

/** One manifest of the cut, as the stack sees it. */
export interface StackMember {
  /** Bytes of the author's PeerId multihash; the stack is ordered by them. */
  readonly author: Uint8Array
  /** Training documents as the manifest states them, at least 1; the cap is applied here. */
  readonly samples: number
  readonly adapter: LoraAdapter
}

/** How to stack. */
export interface StackOptions {
  /** Whether the scale is alpha / √rank (rsLoRA) instead of alpha / rank. */
  readonly rsLora?: boolean
}

/** The global adapter of a round. */
export interface Stack {
  /** Joined pairs with the scale folded into A; alpha = rank, hence scale 1. */
  readonly adapter: LoraAdapter
  /** The same factors under their PEFT keys, sharing memory: what `stackDigest` covers. */
  readonly tensors: Map<string, Tensor>
  /** Rank of the stack by module. */
  readonly ranks: ReadonlyMap<string, number>
  /** False when some coefficient or element is NaN or infinite: the round is void then (rule 7). */
  readonly finite: boolean
}

/**
 * Rule 9: n_k ← min(n_k, 2 · lower median of the cut's n), so that no member outweighs the others by a number that
 * nobody can check. The lower median of an even count is the smaller of the two in the middle.
 *
 * @throws {AdapterError} when a count is no positive safe integer, or there is none
 */
export function cappedSamples(samples: readonly number[]): number[] {
  if (samples.length === 0) throw new AdapterError('a cut without members has no median')
  for (const n of samples) {
    if (!Number.isSafeInteger(n) || n < 1) throw new AdapterError(`samples is ${n}, not a count`)
  }
  const median = [...samples].sort((a, b) => a - b)[Math.floor((samples.length - 1) / 2)]!
  return samples.map((n) => Math.min(n, 2 * median))
}

/**
 * p_k = n_k / Σ n over the capped counts: whole numbers, then one float64 division each.
 *
 * @throws {AdapterError} as {@link cappedSamples}, or when Σ n is beyond exact integers
 */
export function coefficients(samples: readonly number[]): number[] {
  const capped = cappedSamples(samples)
  const sum = capped.reduce((total, n) => total + n, 0)
  if (!Number.isSafeInteger(sum))
    throw new AdapterError(`the cut's samples sum to ${sum}, beyond exact integers`)
  return capped.map((n) => n / sum)
}

/** The scale s of a pair: alpha / rank, or alpha / √rank for rsLoRA. */
export function loraScale({ rank, alpha }: Pick<LoraPair, 'rank' | 'alpha'>, rsLora = false): number {
  return alpha / (rsLora ? Math.sqrt(rank) : rank)
}

/**
 * Stacks a cut (FLoRA, section 3): per module A = [c_1·A_1 ; … ; c_K·A_K], B = [B_1 | … | B_K] with
 * c_k = fround(p_k · s_k), in the unsigned order of the authors' bytes whatever order they came in. The same cut gives
 * the same bits on every machine. A member may lack modules: p_k divides by the whole cut all the same.
 *
 * @throws {AdapterError} for an empty cut, an author twice, a bad count, or shapes that differ between members
 */
export function stackAdapters(members: readonly StackMember[], options: StackOptions = {}): Stack {
  const sorted = [...members].sort((a, b) => Buffer.compare(a.author, b.author))
  for (const [i, { author }] of sorted.entries()) {
    if (i > 0 && Buffer.compare(author, sorted[i - 1]!.author) === 0) {
      throw new AdapterError(`author ${Buffer.from(author).toString('hex')} is in the cut twice`)
    }
  }
  const shares = coefficients(sorted.map(({ samples }) => samples))
  const parts = new Map<string, WeightedPair[]>()
  for (const [k, member] of sorted.entries()) {
    for (const pair of checkAdapter(member.adapter).pairs) {
      const coefficient = Math.fround(shares[k]! * loraScale(pair, options.rsLora))
      const ofModule = parts.get(pair.module)
      if (ofModule === undefined) parts.set(pair.module, [{ pair, coefficient }])
      else ofModule.push({ pair, coefficient })
    }
  }
  const modules = [...parts.keys()].sort(compareStrings)
  const adapter = { pairs: modules.map((module) => joinPairs(parts.get(module)!)) }
  return {
    adapter,
    tensors: adapterTensors(adapter),
    ranks: new Map(adapter.pairs.map(({ module, rank }) => [module, rank])),
    finite:
      adapter.pairs.every(isFinitePair) &&
      [...parts.values()].flat().every(({ coefficient }) => Number.isFinite(coefficient))
  }
}
