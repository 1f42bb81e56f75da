import assert from 'node:assert/strict'
import { encode } from '@ipld/dag-cbor'
import fc from 'fast-check'
import { NetworkError } from '../../../../../src/node/network/requests/network-error.ts'
import {
  DIGESTS_PER_REQUEST_MAX,
  HEADER_BYTES_MAX,
  REQUEST_BYTES_MAX,
  RETRY_AFTER_MS_MAX
} from '../../../../../src/node/network/transfer/constants.ts'
import {
  type BlockAnswer,
  decodeBlockAnswer,
  decodeBlockRequest,
  encodeBlockAnswer,
  encodeBlockRequest
} from '../../../../../src/node/network/transfer/messages.ts'

const digest = fc.stringMatching(/^[0-9a-f]{64}$/)
const plain = { noNullPrototype: true }
const answer: fc.Arbitrary<BlockAnswer> = fc.oneof(
  fc.record(
    { status: fc.constant('found' as const), length: fc.integer({ min: 0, max: 1024 * 1024 }) },
    plain
  ),
  fc
    .record({
      length: fc.integer({ min: 2, max: 1024 * 1024 }),
      part: fc.double({ min: 0, max: 1, noNaN: true })
    })
    .map(({ length, part }) => ({
      status: 'found' as const,
      length,
      zstd: 1 + Math.floor(part * (length - 2))
    })),
  fc.record({ status: fc.constant('missing' as const) }, plain),
  fc.record(
    { status: fc.constant('busy' as const), retryAfterMs: fc.integer({ min: 0, max: RETRY_AFTER_MS_MAX }) },
    plain
  )
)

describe('block messages', () => {
  it('round-trip, within their bound', () => {
    fc.assert(
      fc.property(
        fc.array(digest, { minLength: 1, maxLength: DIGESTS_PER_REQUEST_MAX }),
        answer,
        fc.boolean(),
        (digests, header, zstd) => {
          const request = encodeBlockRequest(digests, zstd)
          assert.deepEqual(decodeBlockRequest(request), { digests, zstd })
          assert.deepEqual(decodeBlockAnswer(encodeBlockAnswer(header)), header)
          assert(request.length <= REQUEST_BYTES_MAX && encodeBlockAnswer(header).length <= HEADER_BYTES_MAX)
        }
      )
    )
  })

  it('are refused when malformed, with a NetworkError', () => {
    const requests = [
      {},
      { digests: [] },
      { digests: 'all' },
      { digests: new Array(DIGESTS_PER_REQUEST_MAX + 1).fill(new Uint8Array(32)) },
      { digests: [new Uint8Array(31)] },
      { digests: [new Uint8Array(32)], more: 1 },
      { digests: [new Uint8Array(32)], zstd: 1 },
      [new Uint8Array(32)],
      null
    ]
    for (const value of requests) assert.throws(() => decodeBlockRequest(encode(value)), NetworkError)
    const answers = [
      { status: 'found', length: 10, zstd: 10 },
      { status: 'found', length: 10, zstd: 0 },
      { status: 'missing', zstd: 5 },
      {},
      { status: 'found' },
      { status: 'found', length: -1 },
      { status: 'found', length: 0.5 },
      { status: 'found', length: 1024 * 1024 + 1 },
      { status: 'missing', length: 1 },
      { status: 'busy' },
      { status: 'gone' },
      'missing'
    ]
    for (const value of answers) assert.throws(() => decodeBlockAnswer(encode(value)), NetworkError)
    // {"status": "missing"} with a length prefix of two bytes where one would do.
    const long = Buffer.concat([
      Buffer.from([0xa1, 0x78, 6]),
      Buffer.from('status'),
      Buffer.from([0x67]),
      Buffer.from('missing')
    ])
    assert.throws(() => decodeBlockAnswer(long), NetworkError)
  })

  it('throw nothing else for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        for (const decode of [decodeBlockRequest, decodeBlockAnswer]) {
          try {
            decode(bytes)
          } catch (error) {
            assert(error instanceof NetworkError, String(error))
          }
        }
      }),
      { numRuns: 1000 }
    )
  })

  it('cap the wait that a server asks for', () => {
    const header = encodeBlockAnswer({ status: 'busy', retryAfterMs: 10 * RETRY_AFTER_MS_MAX })
    assert.deepEqual(decodeBlockAnswer(header), { status: 'busy', retryAfterMs: RETRY_AFTER_MS_MAX })
  })
})
