import { seededShuffle } from '../../src/data/order/seeded-order.ts'
import { shuffledClasses } from './classes.ts'
import { checkPartition, type LabelledPartitionOptions } from './options.ts'
import { cutEvenly } from './portions.ts'

/** Options for dividing a corpus by shards. */
export interface ShardPartitionOptions extends LabelledPartitionOptions {
  /** Shards per member; 2 if absent, as in the paper. */
  readonly shardsPerMember?: number
}

/**
 * Shards of documents sorted by class (McMahan et al. 2017, section 3: "pathological non-IID"): the sorted corpus is
 * cut into equal shards, and each member draws a few of them, so that it has only a few classes.
 *
 * @throws {RangeError} if there are fewer documents than shards, or labels do not match the documents
 */
export function partitionByShard<T>(documents: readonly T[], options: ShardPartitionOptions): T[][] {
  checkPartition(documents, options)
  const { members, labels, seed, shardsPerMember = 2 } = options
  if (!Number.isSafeInteger(shardsPerMember) || shardsPerMember < 1)
    throw new RangeError(`shardsPerMember must be a positive integer, got ${shardsPerMember}`)
  const count = members * shardsPerMember
  if (documents.length < count)
    throw new RangeError(`${documents.length} documents are too few for ${count} shards`)
  const shards = seededShuffle(cutEvenly(shuffledClasses(documents, labels, seed).flat(), count), seed)
  return Array.from({ length: members }, (_, member) =>
    shards.slice(member * shardsPerMember, (member + 1) * shardsPerMember).flat()
  )
}
