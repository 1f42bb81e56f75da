import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  dirichletShares,
  PARTITION_KINDS,
  type PartitionKind,
  partitionDocuments
} from '../../../../lab/partitions/index.ts'
import { seededIntegers } from '../../../../src/data/index.ts'

interface Labelled {
  readonly label: string
  readonly place: number
}

const corpora = fc
  .array(fc.constantFrom('news', 'mail', 'novel', 'law', 'code'), { minLength: 1, maxLength: 120 })
  .map((labels) => labels.map((label, place): Labelled => ({ label, place })))

function partition(kind: PartitionKind, corpus: readonly Labelled[], members: number, seed = 1, alpha = 0.5) {
  const labels = corpus.map(({ label }) => label)
  return partitionDocuments(corpus, { kind, labels, members, seed, alpha })
}

/** `count` documents of each of `classes` classes. */
function evenCorpus(classes: number, count: number): Labelled[] {
  return Array.from({ length: classes * count }, (_, place) => ({ label: `class ${place % classes}`, place }))
}

const labelsOf = (list: readonly Labelled[]): number => new Set(list.map(({ label }) => label)).size

describe('data/split/partition', () => {
  for (const kind of PARTITION_KINDS) {
    it(`${kind}: gives every document to exactly one member, every member at least one, reproducibly`, () => {
      fc.assert(
        fc.property(corpora, fc.integer({ min: 1, max: 12 }), fc.integer(), (corpus, members, seed) => {
          fc.pre(corpus.length >= 2 * members)
          const lists = partition(kind, corpus, members, seed)
          assert.equal(lists.length, members)
          assert(lists.every((list) => list.length > 0))
          const places = lists.flatMap((list) => list.map(({ place }) => place))
          assert.deepEqual(
            places.toSorted((a, b) => a - b),
            corpus.map(({ place }) => place)
          )
          assert.deepEqual(partition(kind, corpus, members, seed), lists)
        })
      )
    })

    it(`${kind}: depends on the seed`, () => {
      const corpus = evenCorpus(5, 20)
      assert.notDeepEqual(partition(kind, corpus, 4, 1), partition(kind, corpus, 4, 2))
    })

    it(`${kind}: refuses fewer documents than members`, () => {
      assert.throws(() => partition(kind, evenCorpus(1, 3), 4), /3 documents are too few for 4 members/)
    })
  }

  it('iid: sizes differ by one at most', () => {
    const sizes = partition('iid', evenCorpus(1, 23), 5).map((list) => list.length)
    assert.deepEqual(new Set(sizes), new Set([4, 5]))
  })

  it('by-class: keeps classes whole, and divides them when there are more members', () => {
    const many = partition('by-class', evenCorpus(6, 10), 3)
    assert.deepEqual(many.map(labelsOf), [2, 2, 2])
    const few = partition('by-class', evenCorpus(2, 30), 6)
    assert.deepEqual(few.map(labelsOf), [1, 1, 1, 1, 1, 1])
    assert.deepEqual(
      few.map((list) => list.length),
      [10, 10, 10, 10, 10, 10]
    )
  })

  it('by-shard: gives a member few classes and an equal share', () => {
    const lists = partition('by-shard', evenCorpus(10, 20), 10)
    for (const list of lists) {
      assert.equal(list.length, 20)
      assert(labelsOf(list) <= 2)
    }
  })

  it('dirichlet: a small alpha separates the classes, a large one does not', () => {
    const corpus = evenCorpus(10, 100)
    const largestShare = (alpha: number): number => {
      const lists = partition('dirichlet', corpus, 5, 3, alpha)
      const shares = Array.from({ length: 10 }, (_, index) =>
        Math.max(...lists.map((list) => list.filter(({ label }) => label === `class ${index}`).length / 100))
      )
      return shares.reduce((sum, share) => sum + share, 0) / shares.length
    }
    assert(largestShare(0.01) > 0.9)
    assert(largestShare(1000) < 0.25)
  })

  it('dirichlet: shares have the mean and the variance of the distribution', () => {
    const next = seededIntegers(7)
    const uniform = () => (next() + 0.5) / 2 ** 32
    for (const alpha of [0.1, 0.5, 3]) {
      const draws = Array.from({ length: 20_000 }, () => dirichletShares(4, alpha, uniform)[0]!)
      const mean = draws.reduce((sum, share) => sum + share, 0) / draws.length
      const variance = draws.reduce((sum, share) => sum + (share - mean) ** 2, 0) / draws.length
      assert(Math.abs(mean - 1 / 4) < 0.01, `mean ${mean}`)
      const expected = 3 / 16 / (4 * alpha + 1)
      assert(Math.abs(variance / expected - 1) < 0.06, `variance ${variance} instead of ${expected}`)
    }
  })

  it('refuses inconsistent settings', () => {
    const documents = evenCorpus(2, 4)
    assert.throws(
      () => partitionDocuments(documents, { kind: 'dirichlet', members: 2, seed: 1 }),
      /needs the documents' labels/
    )
    assert.throws(
      () => partitionDocuments(documents, { kind: 'by-class', labels: ['a'], members: 2, seed: 1 }),
      /1 labels do not fit 8 documents/
    )
    assert.throws(() => partition('dirichlet', documents, 2, 1, 0), /alpha must be a positive number, got 0/)
    assert.throws(() => partition('iid', documents, 0), /0 members cannot be/)
    assert.throws(
      () =>
        partitionDocuments(documents, {
          kind: 'by-shard',
          labels: documents.map(({ label }) => label),
          members: 3,
          seed: 1,
          shardsPerMember: 3
        }),
      /8 documents are too few for 9 shards/
    )
  })
})
