import assert from 'node:assert/strict'
import fc from 'fast-check'
import { pairFromBlocks, shardByteLength, shardFromPair } from '../../../../src/adapter/shard/shard.ts'
import { bfloat16ToFloat32, float32ToBfloat16 } from '../../../../src/formats/elements/half-floats.ts'
import { bitsOf, moduleShapes, oneElementPair, ordinaryFloat, pairOf } from '../arbitraries.ts'

const anyPair = moduleShapes.chain(([shape]) => pairOf(shape!, ordinaryFloat))
const bytesOf = (shard: ReturnType<typeof shardFromPair>) => shard.blocks.map(({ bytes }) => bytes)

describe('a bfloat16 shard', () => {
  it('has half the size of float32, each element rounded to nearest even', () => {
    fc.assert(
      fc.property(anyPair, (pair) => {
        const shard = shardFromPair(pair, 'bf16')
        assert.equal(shard.byteLength, shardByteLength({ ...pair, dtype: 'f32' }) / 2)
        const back = pairFromBlocks(shard, bytesOf(shard))
        const rounded = (values: Float32Array) =>
          values.map((value) => bfloat16ToFloat32(float32ToBfloat16(value)))
        assert.deepEqual(bitsOf(back.A), bitsOf(rounded(pair.A)))
        assert.deepEqual(bitsOf(back.B), bitsOf(rounded(pair.B)))
      })
    )
  })

  it('is unchanged when it is encoded again', () => {
    fc.assert(
      fc.property(anyPair, (pair) => {
        const shard = shardFromPair(pair, 'bf16')
        const again = shardFromPair(pairFromBlocks(shard, bytesOf(shard)), 'bf16')
        assert.deepEqual(again.blocks, shard.blocks)
      })
    )
  })

  it('is refused with a non-finite element, sent or received', () => {
    const pair = oneElementPair(3.4e38)
    assert.throws(() => shardFromPair(pair, 'bf16'), /too large for bf16/)
    const shard = shardFromPair({ ...pair, A: Float32Array.of(2) }, 'bf16')
    for (const bits of [0x7f80, 0xff80, 0x7fc0]) {
      const bytes = shard.blocks[0]!.bytes.slice()
      new DataView(bytes.buffer).setUint16(0, bits, true)
      assert.throws(() => pairFromBlocks(shard, [bytes]), /NaN or infinity/)
    }
  })
})
