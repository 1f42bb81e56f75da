import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  BLOCK_BYTES_MAX,
  blockCount,
  blockLengths,
  pairFromBlocks,
  shardByteLength,
  shardFromPair
} from '../../../../src/adapter/shard/shard.ts'
import { sha256Hex } from '../../../../src/formats/digest/tensors-digest.ts'
import { bitsOf, finiteFloat, moduleShapes, pairOf } from '../arbitraries.ts'

const anyPair = moduleShapes.chain(([shape]) => pairOf(shape!, finiteFloat))

describe('a shard', () => {
  it('stores A, then B, little-endian', () => {
    const pair = {
      module: 'm',
      rank: 1,
      alpha: 2,
      inFeatures: 2,
      outFeatures: 1,
      A: Float32Array.of(1, -0),
      B: Float32Array.of(2)
    }
    const { blocks, byteLength } = shardFromPair(pair)
    const bytes = Uint8Array.of(0, 0, 0x80, 0x3f, 0, 0, 0, 0x80, 0, 0, 0, 0x40)
    assert.equal(byteLength, 12)
    assert.deepEqual(blocks, [{ digest: sha256Hex(bytes), bytes }])
  })

  it('decodes to the same pair, bit for bit', () => {
    fc.assert(
      fc.property(anyPair, (pair) => {
        const shard = shardFromPair(pair)
        const back = pairFromBlocks(
          shard,
          shard.blocks.map(({ bytes }) => bytes)
        )
        assert.deepEqual(bitsOf(back.A), bitsOf(pair.A))
        assert.deepEqual(bitsOf(back.B), bitsOf(pair.B))
        assert.deepEqual({ ...back, A: 0, B: 0 }, { ...pair, A: 0, B: 0 })
      })
    )
  })

  it('is divided into blocks of 1 MiB, each with its digest', () => {
    const [rank, inFeatures, outFeatures] = [16, 20_000, 16_001]
    const A = Float32Array.from({ length: rank * inFeatures }, (_, i) => i)
    const B = Float32Array.from({ length: rank * outFeatures }, (_, i) => -i)
    const shard = shardFromPair({ module: 'm', rank, alpha: 1, inFeatures, outFeatures, A, B })
    assert.equal(shard.byteLength, 4 * rank * (inFeatures + outFeatures))
    assert.deepEqual(
      shard.blocks.map(({ bytes }) => bytes.length),
      [BLOCK_BYTES_MAX, BLOCK_BYTES_MAX, 206_912]
    )
    for (const { digest, bytes } of shard.blocks) assert.equal(digest, sha256Hex(bytes))
    const back = pairFromBlocks(
      shard,
      shard.blocks.map(({ bytes }) => bytes)
    )
    assert.deepEqual(back.A, A)
    assert.deepEqual(back.B, B)
  })

  it('has block lengths that sum to its length', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 * BLOCK_BYTES_MAX }), (length) => {
        const lengths = blockLengths(length)
        assert.equal(
          lengths.reduce((sum, n) => sum + n),
          length
        )
        assert.equal(lengths.length, blockCount(length))
        assert(lengths.every((n, i) => n > 0 && (n === BLOCK_BYTES_MAX || i === lengths.length - 1)))
      })
    )
    assert.deepEqual(blockLengths(BLOCK_BYTES_MAX), [BLOCK_BYTES_MAX])
  })

  it('is refused with NaN or infinity, with missing bytes, and with invalid counts', () => {
    const pair = {
      module: 'm',
      rank: 1,
      alpha: 2,
      inFeatures: 1,
      outFeatures: 1,
      A: Float32Array.of(1),
      B: Float32Array.of(2)
    }
    const shard = shardFromPair(pair)
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => shardFromPair({ ...pair, B: Float32Array.of(bad) }), /NaN or infinity/)
      assert.throws(
        () => pairFromBlocks(shard, [new Uint8Array(Float32Array.of(1, bad).buffer)]),
        /NaN or infinity/
      )
    }
    assert.throws(() => pairFromBlocks(shard, [new Uint8Array(7)]), /7 bytes in total, not 8/)
    for (const rank of [0, -1, 1.5, 2 ** 52])
      assert.throws(() => shardByteLength({ ...shard, rank }), /not a positive integer|too large/)
    assert.throws(() => shardFromPair({ ...pair, alpha: 0 }), /alpha must be a positive number, got 0/)
    assert.throws(() => shardFromPair({ ...pair, A: new Float32Array(2) }), /A has 2 elements/)
  })
})
