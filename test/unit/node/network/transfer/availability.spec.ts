import assert from 'node:assert/strict'
import { encode } from '@ipld/dag-cbor'
import fc from 'fast-check'
import { NetworkError } from '../../../../../src/node/network/requests/network-error.ts'
import { gatherMs, prefixesIn } from '../../../../../src/node/network/transfer/availability.ts'

describe('block announcements', () => {
  it('hold one or more prefixes of eight bytes', () => {
    const frame = encode({ prefixes: Uint8Array.from({ length: 16 }, (_, index) => index) })
    assert.deepEqual(prefixesIn(frame), ['0001020304050607', '08090a0b0c0d0e0f'])
    for (const value of [
      {},
      null,
      7,
      { prefixes: 'all' },
      { prefixes: new Uint8Array(0) },
      { prefixes: new Uint8Array(12) },
      { prefixes: new Uint8Array(8), more: 1 }
    ])
      assert.throws(() => prefixesIn(encode(value)), NetworkError)
  })

  it('are batched for longer with more neighbours, so that a peer sends at most forty a second', () => {
    assert.equal(gatherMs(1), 50)
    for (const neighbours of [2, 3, 15, 40, 99, 1000]) {
      const framesPerSecond = (1000 / gatherMs(neighbours)) * neighbours
      assert(gatherMs(neighbours) === 1000 || framesPerSecond <= 40, String(neighbours))
    }
  })

  it('throw only NetworkError for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          prefixesIn(bytes)
        } catch (error) {
          assert(error instanceof NetworkError, String(error))
        }
      }),
      { numRuns: 1000 }
    )
  })
})
