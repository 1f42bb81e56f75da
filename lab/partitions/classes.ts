import { combineSeeds, seededShuffle } from '../../src/data/order/seeded-order.ts'

/** The documents of every class, each in its own seeded order; classes are sorted by name. */
export function shuffledClasses<T>(documents: readonly T[], labels: readonly string[], seed: number): T[][] {
  const classes = new Map<string, T[]>()
  for (const [index, document] of documents.entries()) {
    const label = labels[index]!
    const members = classes.get(label)
    if (members) members.push(document)
    else classes.set(label, [document])
  }
  const names = [...classes.keys()].sort()
  return names.map((name, index) => seededShuffle(classes.get(name)!, combineSeeds(seed, index)))
}
