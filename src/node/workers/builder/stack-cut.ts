import {
  factorFault,
  type LoraPair,
  medianNorm,
  type Stack,
  stackAdapters,
  updateNorm
} from '../../../adapter/index.ts'
import { compareStrings, FormatError, type Tensor } from '../../../formats/index.ts'
import type { BlockStore } from '../../storage/block-store.ts'
import type { BuildJob, LeftOut, Shapes, ShardSource } from './jobs.ts'
import { MissingBlocksError, readPair, shardMemory } from './read-pair.ts'
import type { ReusedMemory } from './reused-memory.ts'

/** The stack of a cut. */
export interface StackedCut extends Pick<Stack, 'adapter' | 'tensors' | 'finite'> {
  /** Lower median over the cut of the Frobenius norm of ΔW, by module. */
  readonly medianNorms: Readonly<Record<string, number>>
  /** Sources left out of the stack, in their order. */
  readonly leftOut: readonly LeftOut[]
}

type StackJob = Pick<
  BuildJob,
  'sources' | 'modules' | 'shapes' | 'rankStabilised' | 'weights' | 'clip' | 'normCap'
>

/**
 * Stacks a cut module by module: memory holds the stack and one module's shards. Modules are independent and a member's
 * share refers to the whole cut, so the bits equal those of stacking all at once.
 *
 * A source with unreadable shards or factors beyond the charter's cap is left out completely, and the rest is stacked
 * as if it had never been in the cut (rule 7 *Build is total*). This depends only on its own shards and the charter, so
 * every peer leaves out the same sources. If none is left the stack is not finite.
 *
 * @throws {MissingBlocksError} naming every missing or damaged block
 */
export async function stackCut(store: BlockStore, job: StackJob): Promise<StackedCut> {
  const faults = new Map<ShardSource, string>()
  for (const source of job.sources) {
    const fault = job.shapes === undefined ? undefined : shapeFault(source, job.shapes)
    if (fault !== undefined) faults.set(source, fault)
  }
  const well = job.sources.filter((source) => !faults.has(source))
  const stacked = await stackSources(store, { ...job, sources: well }, faults)
  if (faults.size === 0) return { ...stacked, leftOut: [] }
  const sources = job.sources.filter((source) => !faults.has(source))
  const leftOut = [...job.sources].flatMap((source) => {
    const reason = faults.get(source)
    return reason === undefined ? [] : [{ author: source.author, reason }]
  })
  if (sources.length === 0)
    return { adapter: { pairs: [] }, tensors: new Map(), finite: false, medianNorms: {}, leftOut }
  return { ...(await stackSources(store, { ...job, sources }, new Map())), leftOut }
}

/** How a source's manifest does not fit the charter: only more than f members that vouch for it bring it into a cut. */
function shapeFault({ shards }: ShardSource, shapes: Shapes): string | undefined {
  const seen = new Set<string>()
  for (const { module, inFeatures, outFeatures } of shards) {
    const shape = Object.hasOwn(shapes, module) ? shapes[module] : undefined
    if (shape === undefined) return `${module}: it is not a module of the charter`
    if (seen.has(module)) return `${module}: it has two shards`
    seen.add(module)
    if (inFeatures !== shape.inFeatures || outFeatures !== shape.outFeatures)
      return `${module}: its shape is ${outFeatures} by ${inFeatures}, not ${shape.outFeatures} by ${shape.inFeatures}`
  }
  return undefined
}

/** @param faults collects the sources to leave out, in which case the result is unusable */
async function stackSources(
  store: BlockStore,
  { sources, modules, rankStabilised, weights, clip, normCap }: StackJob,
  faults: Map<ShardSource, string>
): Promise<Omit<StackedCut, 'leftOut'>> {
  const pairs: LoraPair[] = []
  const tensors = new Map<string, Tensor>()
  const medianNorms: Record<string, number> = {}
  const missing: string[] = []
  // The stack keeps no reference to its inputs: the memory of one module's pairs is reused for the next.
  const memories = sources.map(shardMemory)
  let finite = true
  for (const module of [...modules].sort(compareStrings)) {
    const members = []
    for (const [k, source] of sources.entries()) {
      const pair = await soundPair(store, source, module, missing, memories[k]!, (read) =>
        factorFault(read, normCap, rankStabilised)
      )
      if (typeof pair === 'string') faults.set(source, faults.get(source) ?? pair)
      const ofModule = typeof pair === 'object' ? [pair] : []
      members.push({ author: source.author, samples: source.samples, adapter: { pairs: ofModule } })
    }
    const present = members.flatMap(({ adapter }) => adapter.pairs)
    if (missing.length > 0 || faults.size > 0 || present.length === 0) continue
    const norms = new Map(present.map((pair) => [pair, updateNorm(pair, rankStabilised)]))
    const normOf = (pair: LoraPair) => norms.get(pair)!
    const outcome = stackAdapters(members, { rsLora: rankStabilised, weights, clip, normOf })
    pairs.push(...outcome.adapter.pairs)
    for (const [name, tensor] of outcome.tensors) tensors.set(name, tensor)
    finite &&= outcome.finite
    medianNorms[module] = medianNorm([...norms.values()])
  }
  if (missing.length > 0) throw new MissingBlocksError(missing)
  return { adapter: { pairs }, tensors, finite, medianNorms }
}

/**
 * A source's pair of one module; undefined if it has none or blocks are missing; a string says why it must be left out.
 */
async function soundPair(
  store: BlockStore,
  { shards, dtype }: ShardSource,
  module: string,
  missing: string[],
  memory: ReusedMemory,
  faultOf: (pair: LoraPair) => string | undefined
): Promise<LoraPair | string | undefined> {
  const shard = shards.find((candidate) => candidate.module === module)
  if (shard === undefined) return undefined
  try {
    const pair = await readPair(store, shard, dtype, missing, memory)
    return pair === undefined ? undefined : (faultOf(pair) ?? pair)
  } catch (error) {
    if (error instanceof FormatError) return error.message
    throw error
  }
}
