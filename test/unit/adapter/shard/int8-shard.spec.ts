import assert from 'node:assert/strict'
import fc from 'fast-check'
import { pairFromBlocks, shardFromPair } from '../../../../src/adapter/shard/shard.ts'
import { bitsOf, finiteFloat, moduleShapes, oneElementPair, ordinaryFloat, pairOf } from '../arbitraries.ts'

const pairsOf = (element: fc.Arbitrary<number>) => moduleShapes.chain(([shape]) => pairOf(shape!, element))

describe('an int8 shard', () => {
  it('has a quarter of the size of float32 plus the steps, with an error of at most half a step', () => {
    fc.assert(
      fc.property(pairsOf(ordinaryFloat), (pair) => {
        const shard = shardFromPair(pair, 'int8')
        assert.equal(shard.byteLength, pair.rank * (8 + pair.inFeatures + pair.outFeatures))
        const back = pairFromBlocks(
          shard,
          shard.blocks.map(({ bytes }) => bytes)
        )
        for (let k = 0; k < pair.rank; k++) {
          const row = pair.A.subarray(k * pair.inFeatures, (k + 1) * pair.inFeatures)
          const step = Math.max(...row.map(Math.abs)) / 127
          for (let j = 0; j < row.length; j++) {
            const apart = Math.abs(row[j]! - back.A[k * pair.inFeatures + j]!)
            assert(apart <= 0.5001 * step + 2 ** -140)
          }
        }
      })
    )
  })

  it('is stable: shards with the same levels have the same bits', () => {
    fc.assert(
      fc.property(pairsOf(finiteFloat), (pair) => {
        const first = shardFromPair(pair, 'int8')
        const once = pairFromBlocks(
          first,
          first.blocks.map(({ bytes }) => bytes)
        )
        const again = pairFromBlocks(
          first,
          first.blocks.map(({ bytes }) => bytes.slice())
        )
        assert.deepEqual(bitsOf(once.A), bitsOf(again.A))
        assert.deepEqual(bitsOf(once.B), bitsOf(again.B))
      })
    )
  })

  it('multiplies level and step once, ties rounded to even', () => {
    const pair = {
      module: 'm',
      rank: 2,
      alpha: 2,
      inFeatures: 3,
      outFeatures: 1,
      A: Float32Array.of(127, 2.5, -3.5, 0, 0, 0),
      B: Float32Array.of(-12.7, 254)
    }
    const shard = shardFromPair(pair, 'int8')
    const bytes = shard.blocks[0]!.bytes
    assert.deepEqual([...new Int8Array(bytes.slice(16).buffer)], [127, 2, -4, 0, 0, 0, -127, 127])
    const back = pairFromBlocks(shard, [bytes])
    assert.deepEqual([...back.A], [127, 2, -4, 0, 0, 0])
    const step = Math.fround(Math.fround(12.7) / 127)
    assert.deepEqual([...back.B], [Math.fround(-127 * step), 254])
  })

  it('is refused if a step is negative or not finite, or a product overflows', () => {
    const pair = oneElementPair(1)
    const shard = shardFromPair(pair, 'int8')
    for (const step of [Number.NaN, -1, Number.POSITIVE_INFINITY, 3e38]) {
      const bytes = shard.blocks[0]!.bytes.slice()
      new DataView(bytes.buffer).setFloat32(0, step, true)
      assert.throws(() => pairFromBlocks(shard, [bytes]), /step is negative or not finite|NaN or infinity/)
    }
    const beyond = shard.blocks[0]!.bytes.slice()
    beyond[8] = 0x80
    assert.throws(() => pairFromBlocks(shard, [beyond]), /beyond ±127/)
  })
})
