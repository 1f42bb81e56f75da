import { partitionByClass } from './by-class.ts'
import { partitionByShard } from './by-shard.ts'
import { partitionDirichlet } from './dirichlet.ts'
import { partitionIid } from './iid.ts'
import type { PartitionOptions } from './options.ts'

/** The ways to divide a corpus among members. */
export const PARTITION_KINDS = ['iid', 'by-class', 'by-shard', 'dirichlet'] as const
export type PartitionKind = (typeof PARTITION_KINDS)[number]

/** Settings of a partition. */
export interface PartitionSettings extends PartitionOptions {
  readonly kind: PartitionKind
  /** Required for every kind except `iid`. */
  readonly labels?: readonly string[]
  /** Concentration of `dirichlet`; 0.5 if absent, as in FLoRA. */
  readonly alpha?: number
  /** For `by-shard`. */
  readonly shardsPerMember?: number
}

/**
 * Divides a corpus: every document goes to exactly one member, and every member gets at least one.
 *
 * @throws {RangeError} if there are too few documents, or labels are missing or do not match
 */
export function partitionDocuments<T>(documents: readonly T[], settings: PartitionSettings): T[][] {
  const { kind, labels, alpha = 0.5, shardsPerMember = 2, members, seed } = settings
  if (kind === 'iid') return partitionIid(documents, { members, seed })
  if (labels === undefined) throw new RangeError(`partition ${kind} requires the documents' labels`)
  const options = { members, seed, labels }
  if (kind === 'by-class') return partitionByClass(documents, options)
  if (kind === 'by-shard') return partitionByShard(documents, { ...options, shardsPerMember })
  return partitionDirichlet(documents, { ...options, alpha })
}
