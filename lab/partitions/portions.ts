/**
 * Cuts `items` into consecutive portions of sizes proportional to `shares` (rounded cumulatively, so that each is
 * within one of its exact size and nothing is lost).
 */
export function cutByShares<T>(items: readonly T[], shares: readonly number[]): T[][] {
  const total = shares.reduce((sum, share) => sum + share, 0)
  let reached = 0
  let start = 0
  return shares.map((share, index) => {
    reached += share
    const end = index === shares.length - 1 ? items.length : Math.round((reached / total) * items.length)
    const portion = items.slice(start, end)
    start = end
    return portion
  })
}

/** `items` in `count` consecutive portions whose sizes differ by at most one. */
export function cutEvenly<T>(items: readonly T[], count: number): T[][] {
  return Array.from({ length: count }, (_, index) =>
    items.slice(Math.floor((index * items.length) / count), Math.floor(((index + 1) * items.length) / count))
  )
}

/**
 * Gives every list at least `minimum` items, taken one by one from the end of the longest list (the first in case of
 * ties).
 *
 * @throws {RangeError} if there are too few items
 */
export function fillUp<T>(lists: T[][], minimum: number): T[][] {
  const count = lists.reduce((sum, list) => sum + list.length, 0)
  if (count < minimum * lists.length)
    throw new RangeError(`${count} documents are too few for ${lists.length} members with ${minimum} each`)
  for (const list of lists) {
    while (list.length < minimum) {
      const longest = lists.reduce((best, other) => (other.length > best.length ? other : best))
      list.push(longest.pop()!)
    }
  }
  return lists
}
