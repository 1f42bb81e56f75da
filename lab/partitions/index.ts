/**
 * Splits of a corpus into training and held-out text and among members, as pure functions.
 *
 * @example
 * ```ts
 * const { train, heldOut } = splitDocuments(documents, { seed: 1 })
 * const labels = train.map(({ id }) => id.split('/')[0]!)
 * const lists = partitionDocuments(train, { kind: 'dirichlet', alpha: 0.5, labels, members: 10, seed: 1 })
 * ```
 */

export { type CorpusSplit, type SplitOptions, splitDocuments } from '../../src/data/order/hold-out.ts'
export { partitionByClass } from './by-class.ts'
export { partitionByShard, type ShardPartitionOptions } from './by-shard.ts'
export { type DirichletPartitionOptions, dirichletShares, partitionDirichlet } from './dirichlet.ts'
export { partitionIid } from './iid.ts'
export type { LabelledPartitionOptions, PartitionOptions } from './options.ts'
export {
  PARTITION_KINDS,
  type PartitionKind,
  type PartitionSettings,
  partitionDocuments
} from './partition.ts'
