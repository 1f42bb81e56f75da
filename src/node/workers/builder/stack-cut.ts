import { type LoraPair, type Stack, stackAdapters, updateNorm } from '../../../adapter/index.ts'
import { compareStrings, type Tensor } from '../../../formats/index.ts'
import type { BlockStore } from '../../storage/block-store.ts'
import type { BuildJob } from './jobs.ts'
import { MissingBlocksError, readPair, shardMemory } from './read-pair.ts'

/** The stack of a cut. */
export interface StackedCut extends Pick<Stack, 'adapter' | 'tensors' | 'finite'> {
  /** Lower median over the cut of the Frobenius norm of ΔW, by module. */
  readonly medianNorms: Readonly<Record<string, number>>
}

/**
 * Stacks a cut module by module: in memory are the stack and one module's shards. Modules are independent, and a member's
 * share is that of the whole cut, so the bits are those of the whole cut at once.
 *
 * @throws {MissingBlocksError} naming every block that is not there, or is damaged
 */
export async function stackCut(
  store: BlockStore,
  {
    sources,
    modules,
    rankStabilised,
    weights
  }: Pick<BuildJob, 'sources' | 'modules' | 'rankStabilised' | 'weights'>
): Promise<StackedCut> {
  const pairs: LoraPair[] = []
  const tensors = new Map<string, Tensor>()
  const medianNorms: Record<string, number> = {}
  const missing: string[] = []
  // The stack keeps nothing of what it was given: the pairs of one module make room for those of the next.
  const memories = sources.map(shardMemory)
  let finite = true
  for (const module of [...modules].sort(compareStrings)) {
    const members = []
    for (const [k, { author, samples, dtype, shards }] of sources.entries()) {
      const shard = shards.find((candidate) => candidate.module === module)
      const pair =
        shard === undefined ? undefined : await readPair(store, shard, dtype, missing, memories[k]!)
      members.push({ author, samples, adapter: { pairs: pair === undefined ? [] : [pair] } })
    }
    const present = members.flatMap(({ adapter }) => adapter.pairs)
    if (missing.length > 0 || present.length === 0) continue
    const outcome = stackAdapters(members, { rsLora: rankStabilised, weights })
    pairs.push(...outcome.adapter.pairs)
    for (const [name, tensor] of outcome.tensors) tensors.set(name, tensor)
    finite &&= outcome.finite
    medianNorms[module] = lowerMedian(present.map((pair) => updateNorm(pair, rankStabilised)))
  }
  if (missing.length > 0) throw new MissingBlocksError(missing)
  return { adapter: { pairs }, tensors, finite, medianNorms }
}

function lowerMedian(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.floor((sorted.length - 1) / 2)]!
}
