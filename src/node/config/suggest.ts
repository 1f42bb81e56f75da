import { distance } from 'fastest-levenshtein'

/** Maximum edit distance of a suggestion: a third of the name's letters. */
const DISTANCE_PER_LETTER = 1 / 3

/**
 * The known name closest to an unknown one; undefined if none is close. The last part of a dotted name is compared as
 * well: `listn` and `net.listen` both mean `network.listen`.
 */
export function suggest(unknown: string, names: readonly string[]): string | undefined {
  let best: { name: string; distance: number } | undefined
  for (const name of names) {
    const far = Math.min(apart(unknown, name), apart(lastPart(unknown), lastPart(name)) + 0.5)
    if (best === undefined || far < best.distance) best = { name, distance: far }
  }
  const limit = Math.max(1.5, lastPart(unknown).length * DISTANCE_PER_LETTER)
  return best !== undefined && best.distance <= limit ? best.name : undefined
}

function apart(left: string, right: string): number {
  return distance(simple(left), simple(right))
}

/** Case, hyphens and underscores are ignored. */
function simple(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '')
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}
