import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type LoraPair, mergeAdapter, type StackMember } from '../../src/adapter/index.ts'
import type { Tensor } from '../../src/formats/index.ts'
import { createSeededRandom } from '../../src/model/index.ts'
import { aggregationRule, bytesUp } from '../aggregation/index.ts'

/** The parts of a model's shape that determine the cost of aggregation. */
export interface ScaleShape {
  readonly name: string
  readonly layers: number
  /** Adapted modules of a layer: [out, in]. */
  readonly modules: readonly (readonly [number, number])[]
  /** Parameters of the whole model. */
  readonly parameters: number
}

/** SmolLM-135M: hidden 576, nine heads and three of keys and values of 64, 30 layers; q and v adapted. */
export const SMOLLM_135M: ScaleShape = {
  name: 'SmolLM-135M',
  layers: 30,
  modules: [
    [576, 576],
    [192, 576]
  ],
  parameters: 134_515_008
}

/** A tiny shape for a run of about a second. */
export const TINY_SHAPE: ScaleShape = { name: 'tiny', layers: 2, modules: [[32, 32]], parameters: 100_000 }

/** Ranks of the members in turn (FLoRA, section 4.1); 16 on average. */
const RANKS = [64, 32, 16, 16, 8, 8, 4, 4, 4, 4]

/** A rule among a number of members. */
export interface ScaleCase {
  readonly rule: 'flora' | 'florist'
  readonly members: number
  /** Members that train in a round. */
  readonly trainers: number
}

/** The cost of a round for a member. */
export interface ScaleRow extends ScaleCase {
  /** Largest rank of a module of the outcome. */
  readonly rank: number
  /** Its own shards, bytes of float32; mean over the trainers. */
  readonly bytesOwn: number
  /** Shards of all trainers: fetched by every member of the mesh, whatever the rule. */
  readonly bytesShards: number
  /** The result, which a member that does not aggregate itself would fetch. */
  readonly bytesOutcome: number
  /** Of processor time to aggregate and merge, one thread. */
  readonly seconds: number
  /** Arrays in memory after one module was aggregated and merged, its shards and what is not collected yet included. */
  readonly memoryBytes: number
}

/**
 * Aggregates and merges one layer of a round, measured, and counts it for every layer. The members' updates have
 * independent random directions, and singular values that fall like 1/k.
 */
export function measureScale(shape: ScaleShape, scaleCase: ScaleCase): ScaleRow {
  const rule = aggregationRule(scaleCase.rule)
  let [bytesOwn, bytesShards, bytesOutcome, seconds, memoryBytes, rank] = [0, 0, 0, 0, 0, 0]
  for (const [index, [outFeatures, inFeatures]] of shape.modules.entries()) {
    const empty = arrayBytesAfterCollection()
    const members = Array.from({ length: scaleCase.trainers }, (_, member) =>
      syntheticMember(member, index, outFeatures, inFeatures)
    )
    const sent = members.reduce((sum, { adapter }) => sum + bytesUp(rule, adapter), 0)
    const weight: Tensor = {
      shape: [outFeatures, inFeatures],
      data: new Float32Array(outFeatures * inFeatures)
    }
    const before = process.cpuUsage()
    const aggregate = rule.aggregate(members)
    const held = process.memoryUsage().arrayBuffers - empty
    mergeAdapter(new Map([[`module${index}`, weight]]), aggregate.adapter)
    const { user, system } = process.cpuUsage(before)
    seconds += (shape.layers * (user + system)) / 1e6
    memoryBytes = Math.max(memoryBytes, held, process.memoryUsage().arrayBuffers - empty)
    bytesShards += shape.layers * sent
    bytesOwn += (shape.layers * sent) / members.length
    bytesOutcome += shape.layers * rule.bytesDown(aggregate, members[0]!.adapter, members)
    rank = Math.max(rank, ...aggregate.ranks.values())
  }
  return { ...scaleCase, rank, bytesOwn, bytesShards, bytesOutcome, seconds, memoryBytes }
}

/** Bytes of the adapted modules, and of the whole model, in float32: what could be sent instead of a stack. */
export function fullBytes({ modules, layers, parameters }: ScaleShape): { modules: number; model: number } {
  const elements = modules.reduce((sum, [out, into]) => sum + out * into, 0)
  return { modules: 4 * layers * elements, model: 4 * parameters }
}

/** Least number of members, all of whom train, whose stack has more bytes than `bytes`. */
export function membersBeyond({ modules, layers }: ScaleShape, bytes: number): number {
  const perRank = 4 * layers * modules.reduce((sum, [out, into]) => sum + out + into, 0)
  let total = 0
  for (let member = 0; ; member++) {
    total += perRank * RANKS[member % RANKS.length]!
    if (total > bytes) return member + 1
  }
}

/** Garbage of earlier cases must not count for the next one. */
function arrayBytesAfterCollection(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().arrayBuffers
}

function syntheticMember(
  member: number,
  index: number,
  outFeatures: number,
  inFeatures: number
): StackMember {
  const random = createSeededRandom(member * 1000 + index)
  const rank = Math.min(RANKS[member % RANKS.length]!, outFeatures, inFeatures)
  const A = Float32Array.from({ length: rank * inFeatures }, () => random.normal() / Math.sqrt(inFeatures))
  const B = Float32Array.from(
    { length: outFeatures * rank },
    (_, at) => random.normal() / Math.sqrt(outFeatures) / (1 + (at % rank))
  )
  const pair: LoraPair = { module: `module${index}`, rank, alpha: 2 * rank, inFeatures, outFeatures, A, B }
  const author = Uint8Array.of(member >>> 8, member & 255)
  return { author, samples: 100, adapter: { pairs: [pair] } }
}
