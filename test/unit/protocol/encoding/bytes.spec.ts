import assert from 'node:assert/strict'
import fc from 'fast-check'
import { bitmapOf, bitsOf, compareBytes, hasBit } from '../../../../src/protocol/encoding/bytes.ts'

const sized = fc
  .integer({ min: 1, max: 256 })
  .chain((size) => fc.tuple(fc.constant(size), fc.uniqueArray(fc.nat(size - 1))))

describe('bitmaps', () => {
  it('return the bits that were set, ascending, in as few bytes as possible', () => {
    fc.assert(
      fc.property(sized, ([size, set]) => {
        const bitmap = bitmapOf(size, set)
        assert.equal(bitmap.length, Math.ceil(size / 8))
        assert.deepEqual(
          bitsOf(bitmap),
          set.toSorted((left, right) => left - right)
        )
        for (let index = 0; index < size + 20; index++)
          assert.equal(hasBit(bitmap, index), set.includes(index), `bit ${index}`)
      })
    )
  })

  it('store bit i in bit (i mod 8) of byte ⌊i/8⌋, as on the wire', () => {
    assert.deepEqual([...bitmapOf(12, [0, 3, 9])], [0b1001, 0b10])
  })
})

it('bytes are ordered as unsigned numbers', () => {
  assert.ok(compareBytes(Uint8Array.of(0x7f), Uint8Array.of(0x80)) < 0)
})
