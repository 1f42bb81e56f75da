import { seededShuffle } from '../../src/data/order/seeded-order.ts'
import { checkPartition, type PartitionOptions } from './options.ts'
import { cutEvenly } from './portions.ts'

/**
 * Independent and identically distributed: a seeded shuffle, cut into lists whose sizes differ by at most one.
 *
 * @throws {RangeError} if there are fewer documents than members
 */
export function partitionIid<T>(documents: readonly T[], options: PartitionOptions): T[][] {
  checkPartition(documents, options)
  return cutEvenly(seededShuffle(documents, options.seed), options.members)
}
