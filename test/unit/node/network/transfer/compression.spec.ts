import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { sha256Hex } from '../../../../../src/formats/index.ts'
import { NetworkError } from '../../../../../src/node/network/index.ts'
import { type Compression, loadCompression } from '../../../../../src/node/network/transfer/compression.ts'

const isProtocolError = (error: unknown) => error instanceof NetworkError && error.code === 'protocol'
/** Bytes of which half are the same. */
const repetitive = (length: number) =>
  Uint8Array.from(randomBytes(length), (byte, at) => (at % 2 ? byte : 60))

describe('block compression', () => {
  let compression: Compression
  before(async () => {
    compression = await loadCompression()
  })
  const packed = (block: Uint8Array) => compression.pack(sha256Hex(block), block)

  for (const length of [1024, 65_000, 65_792, 1024 * 1024])
    it(`round-trips ${length} bytes in fewer`, () => {
      const block = repetitive(length)
      const frame = packed(block)!
      assert(frame.length < 0.8 * length, `${frame.length}`)
      assert.equal(sha256Hex(compression.unpack(frame, length)), sha256Hex(block))
    })

  it('skips blocks that are short or do not shrink', () => {
    const block = randomBytes(100_000)
    assert.equal(packed(block), undefined)
    assert.equal(packed(block), undefined)
    assert.equal(packed(new Uint8Array(1023)), undefined)
  })

  it('refuses a frame whose length differs from the announced one', () => {
    const frame = packed(repetitive(5_000))!
    for (const length of [4_999, 5_001, 0, 1024 * 1024])
      assert.throws(() => compression.unpack(frame, length), isProtocolError)
  })

  it('does not allocate the size that a frame claims', () => {
    // One segment of 2^40 bytes, and of 2^31 with a window.
    const huge = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0)
    const large = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x80, 0xff, 0, 0, 0, 0x80, 1, 0, 0)
    const before = process.memoryUsage().rss
    for (const frame of [huge, large])
      assert.throws(() => compression.unpack(frame, 1024 * 1024), isProtocolError)
    assert(process.memoryUsage().rss - before < 64 * 1024 * 1024)
  })

  it('refuses damaged frames, and anything else, with a NetworkError', () => {
    const block = repetitive(3_000)
    const frame = packed(block)!
    const damage = fc.array(fc.tuple(fc.nat({ max: frame.length - 1 }), fc.nat({ max: 255 })), {
      maxLength: 8
    })
    fc.assert(
      fc.property(fc.oneof(damage, fc.uint8Array({ maxLength: 200 })), (harm) => {
        const bytes = harm instanceof Uint8Array ? harm : Uint8Array.from(frame)
        if (!(harm instanceof Uint8Array)) for (const [at, value] of harm) bytes[at] = value
        try {
          assert.equal(compression.unpack(bytes, block.length).length, block.length)
        } catch (error) {
          assert(isProtocolError(error), String(error))
        }
      }),
      { numRuns: 2_000 }
    )
  })
})
