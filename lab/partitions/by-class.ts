import { seededPermutation } from '../../src/data/order/seeded-order.ts'
import { shuffledClasses } from './classes.ts'
import { checkPartition, type LabelledPartitionOptions } from './options.ts'
import { cutEvenly, fillUp } from './portions.ts'

/**
 * Whole classes: they are dealt out in a seeded order, one to each member in turn. Where there are fewer classes than
 * members, several members divide one evenly. A member that is left with nothing gets one document of the member that
 * has most.
 *
 * @throws {RangeError} when there are fewer documents than members, or labels do not fit
 */
export function partitionByClass<T>(documents: readonly T[], options: LabelledPartitionOptions): T[][] {
  checkPartition(documents, options)
  const { members, labels, seed } = options
  const classes = shuffledClasses(documents, labels, seed)
  const order = seededPermutation(classes.length, seed)
  const lists: T[][] = Array.from({ length: members }, () => [])
  for (const [place, index] of order.entries()) {
    const owners = lists.filter((_, member) => member % classes.length === place)
    const dealt = owners.length > 0 ? owners : [lists[place % members]!]
    for (const [turn, portion] of cutEvenly(classes[index]!, dealt.length).entries())
      dealt[turn]!.push(...portion)
  }
  return fillUp(lists, 1)
}
