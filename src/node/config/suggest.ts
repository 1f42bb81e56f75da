import { distance } from 'fastest-levenshtein'

/** How far a name may be from what was meant: a third of its letters. */
const DISTANCE_PER_LETTER = 1 / 3

/**
 * The name that was probably meant by one that is unknown; undefined where none is near. Of dotted names the last part
 * counts as well: `listn` and `net.listen` both mean `network.listen`.
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

/** Capitals, hyphens and underscores are no difference. */
function simple(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '')
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}
