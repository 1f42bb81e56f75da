import { compareStrings } from '../../formats/compare-strings.ts'
import type { Tensor } from '../../formats/tensor.ts'
import { updateNorm } from '../norm/norm.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import { checkAdapter } from '../pair/check-adapter.ts'
import type { LoraAdapter, LoraPair } from '../pair/lora-adapter.ts'
import { loraScale } from '../pair/lora-scale.ts'
import { adapterTensors } from '../peft/adapter-tensors.ts'
import { clipFactors } from './clip.ts'
import { joinAndCheck, type WeightedPair } from './join-pairs.ts'
import { type Clip, type MemberWeights, memberCounts, shares } from './weights.ts'

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
  /** How the members are weighted; `samples` by default. */
  readonly weights?: MemberWeights
  /** Whether updates are clipped to the cut's median norm; `none` by default. */
  readonly clip?: Clip
  /** {@link updateNorm} of the pairs, if the caller has computed it. */
  readonly normOf?: (pair: LoraPair) => number
}

/** The global adapter of a round. */
export interface Stack {
  /** Joined pairs with the scale folded into A; alpha = rank, hence scale 1. */
  readonly adapter: LoraAdapter
  /** The same factors under their PEFT keys, sharing memory: what `stackDigest` covers. */
  readonly tensors: Map<string, Tensor>
  /** Rank of the stack by module. */
  readonly ranks: ReadonlyMap<string, number>
  /** False when a coefficient or element is NaN or infinite, which makes the round void (rule 7). */
  readonly finite: boolean
}

/**
 * A cut in the unsigned order of its authors' bytes, the order in which every rule sums.
 *
 * @throws {AdapterError} when an author is repeated
 */
export function sortedByAuthor(members: readonly StackMember[]): StackMember[] {
  const sorted = [...members].sort((a, b) => Buffer.compare(a.author, b.author))
  for (const [i, { author }] of sorted.entries()) {
    if (i > 0 && Buffer.compare(author, sorted[i - 1]!.author) === 0) {
      throw new AdapterError(`author ${Buffer.from(author).toString('hex')} is repeated in the cut`)
    }
  }
  return sorted
}

/**
 * Stacks a cut (FLoRA, section 3): per module A = [c_1·A_1 ; … ; c_K·A_K], B = [B_1 | … | B_K] with c_k = fround(p_k ·
 * s_k · min(1, median / ‖ΔW_k‖)) (without the last factor if nothing is clipped), in the unsigned order of the authors'
 * bytes, whatever the order of the input. The same cut gives the same bits on every machine. A member may lack modules;
 * p_k still divides by the whole cut.
 *
 * @throws {AdapterError} for an empty cut, a repeated author, an invalid count, or shapes that differ between members
 */
export function stackAdapters(members: readonly StackMember[], options: StackOptions = {}): Stack {
  const sorted = sortedByAuthor(members)
  const part = shares(memberCounts(sorted, options.weights, options.clip))
  const normOf = options.normOf ?? ((pair) => updateNorm(pair, options.rsLora))
  const clipped = options.clip === 'median' ? clipFactors(sorted, normOf) : undefined
  const parts = new Map<string, WeightedPair[]>()
  for (const [k, member] of sorted.entries()) {
    for (const pair of checkAdapter(member.adapter).pairs) {
      const coefficient = Math.fround(part[k]! * loraScale(pair, options.rsLora) * (clipped?.get(pair) ?? 1))
      const ofModule = parts.get(pair.module)
      if (ofModule === undefined) parts.set(pair.module, [{ pair, coefficient }])
      else ofModule.push({ pair, coefficient })
    }
  }
  const modules = [...parts.keys()].sort(compareStrings)
  const joined = modules.map((module) => joinAndCheck(parts.get(module)!))
  const adapter = { pairs: joined.map(({ pair }) => pair) }
  return {
    adapter,
    tensors: adapterTensors(adapter),
    ranks: new Map(adapter.pairs.map(({ module, rank }) => [module, rank])),
    finite:
      joined.every(({ finite }) => finite) &&
      [...parts.values()].flat().every(({ coefficient }) => Number.isFinite(coefficient))
  }
}
