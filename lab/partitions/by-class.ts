import { seededPermutation } from '../../src/data/order/seeded-order.ts'
import { shuffledClasses } from './classes.ts'
import { checkPartition, type LabelledPartitionOptions } from './options.ts'
import { cutEvenly, fillUp } from './portions.ts'

/**
 * Whole classes, assigned to members in turn in a seeded order. If there are fewer classes than members, several
 * members divide one evenly. A member without documents gets one from the member with the most.
 *
 * @throws {RangeError} if there are fewer documents than members, or labels do not match the documents
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
