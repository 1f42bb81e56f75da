import assert from 'node:assert/strict'
import fc from 'fast-check'
import { gumbelNoise, NOISE_MAX } from '../../../../src/prada/core/gumbel-noise.ts'
import { philox, type Words4 } from '../../../../src/prada/core/philox.ts'

const ONES = 0xffffffff
/** Known answers of Philox4x32-10, from the Random123 distribution (kat_vectors). */
const KNOWN: readonly (readonly [Words4, readonly [number, number], Words4])[] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]
  ],
  [
    [ONES, ONES, ONES, ONES],
    [ONES, ONES],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
  ]
]

describe('noise', () => {
  it('reproduces the known answers of its generator', () => {
    for (const [counter, key, words] of KNOWN) assert.deepEqual(philox(counter, key), words)
  })

  it('is the same for the same arguments, in any order of ids', () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.nat(100_000),
        fc.array(fc.nat(200_000), { minLength: 1, maxLength: 30 }),
        (seed, position, ids) => {
          const noise = gumbelNoise(seed, position)
          const forth = ids.map(noise)
          const back = ids.toReversed().map((id) => gumbelNoise(seed, position)(id))
          assert.deepEqual(forth, back.toReversed())
        }
      )
    )
  })

  it('differs by seed (its upper bits too), position, id and stream', () => {
    const seen = new Set<number>()
    for (const seed of [0, 1, 2 ** 32, 2 ** 52])
      for (const position of [0, 1, 77])
        for (const stream of [0, 1])
          for (const id of [0, 1, 2, 3]) seen.add(gumbelNoise(seed, position, stream)(id))
    assert.equal(seen.size, 4 * 3 * 2 * 4)
  })

  it('is standard Gumbel: mean 0.5772, variance π²/6, and within its bound', () => {
    const count = 200_000
    const noise = gumbelNoise(7, 1)
    const values = Float64Array.from({ length: count }, (_, id) => noise(id))
    const mean = values.reduce((sum, value) => sum + value, 0) / count
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count
    assert.ok(Math.abs(mean - 0.5772157) < 4 * Math.sqrt(Math.PI ** 2 / 6 / count), `mean ${mean}`)
    assert.ok(Math.abs(variance - Math.PI ** 2 / 6) < 0.05, `variance ${variance}`)
    assert.ok(values.every((value) => Number.isFinite(value) && value < NOISE_MAX))
    // The largest possible uniform.
    assert.ok(-Math.log(-Math.log((2 ** 52 - 0.5) * 2 ** -52)) < NOISE_MAX)
    assert.ok(Number.isFinite(-Math.log(-Math.log(0.5 * 2 ** -52))))
  })
})
