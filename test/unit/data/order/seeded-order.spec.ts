import assert from 'node:assert/strict'
import fc from 'fast-check'
import { combineSeeds, seededIntegers, seededPermutation, seededShuffle } from '../../../../src/data/index.ts'

describe('data/seeded-order', () => {
  it('draws the same 32-bit integers for the same seed', () => {
    const drawn = Array.from({ length: 4 }, seededIntegers(42))
    assert.deepEqual(Array.from({ length: 4 }, seededIntegers(42)), drawn)
    assert.notDeepEqual(Array.from({ length: 4 }, seededIntegers(43)), drawn)
    for (const value of drawn) assert.ok(Number.isInteger(value) && value >= 0 && value < 2 ** 32)
  })

  it('yields a permutation: every index once', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.integer(), (length, seed) => {
        const sorted = [...seededPermutation(length, seed)].sort((left, right) => left - right)
        assert.deepEqual(
          sorted,
          Array.from({ length }, (_, index) => index)
        )
      })
    )
  })

  it('puts every item in every place about equally often', () => {
    const places = Array.from({ length: 4 }, () => [0, 0, 0, 0])
    for (let seed = 0; seed < 4000; seed++) {
      seededShuffle([0, 1, 2, 3], seed).forEach((item, place) => {
        places[item]![place]! += 1
      })
    }
    // 1000 expected, standard deviation 27.
    for (const count of places.flat()) assert.ok(Math.abs(count - 1000) < 140, `${count} of 4000`)
  })

  it('derives different seeds for the streams of one seed', () => {
    const seeds = new Set(
      [-1, 0, 1, 2, 3].flatMap((stream) => [combineSeeds(7, stream), combineSeeds(8, stream)])
    )
    assert.equal(seeds.size, 10)
  })
})
