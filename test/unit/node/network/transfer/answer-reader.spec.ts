import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { BLOCK_BYTES_MAX } from '../../../../../src/adapter/index.ts'
import { sha256Hex } from '../../../../../src/formats/index.ts'
import { NetworkError } from '../../../../../src/node/network/index.ts'
import { AnswerReader, type FetchedBlock } from '../../../../../src/node/network/transfer/answer-reader.ts'
import { BlockBuffers } from '../../../../../src/node/network/transfer/block-buffers.ts'
import { PIECE_BYTES_MAX } from '../../../../../src/node/network/transfer/constants.ts'
import { encodeBlockAnswer } from '../../../../../src/node/network/transfer/messages.ts'

function frame(bytes: Uint8Array): Uint8Array {
  const prefix: number[] = []
  for (let left = bytes.length; ; left >>>= 7) {
    if (left < 0x80) return Buffer.concat([Uint8Array.from([...prefix, left]), bytes])
    prefix.push((left & 0x7f) | 0x80)
  }
}

function foundFrames(block: Uint8Array, pieceBytes = PIECE_BYTES_MAX): Uint8Array {
  const frames = [frame(encodeBlockAnswer({ status: 'found', length: block.length }))]
  for (let begin = 0; begin < block.length; begin += pieceBytes)
    frames.push(frame(block.subarray(begin, begin + pieceBytes)))
  return Buffer.concat(frames)
}

const digestOf = (text: string) => sha256Hex(Buffer.from(text))
const isProtocolError = (error: unknown) => error instanceof NetworkError && error.code === 'protocol'

describe('the answer reader', () => {
  const readerFor = (...digests: string[]) => {
    const reader = new AnswerReader(new BlockBuffers())
    reader.expect(digests)
    return reader
  }

  it('returns the answers in order, wherever the stream is divided', () => {
    const blocks = [randomBytes(1), randomBytes(700), randomBytes(300_000)]
    const answers = [
      frame(encodeBlockAnswer({ status: 'missing' })),
      foundFrames(blocks[0]!),
      foundFrames(blocks[1]!, 100),
      frame(encodeBlockAnswer({ status: 'busy', retryAfterMs: 250 })),
      foundFrames(blocks[2]!)
    ]
    const digests = [
      digestOf('a'),
      sha256Hex(blocks[0]!),
      sha256Hex(blocks[1]!),
      digestOf('b'),
      sha256Hex(blocks[2]!)
    ]
    const bytes = Buffer.concat(answers)
    const cuts = fc.array(fc.nat({ max: bytes.length }), { maxLength: 40 })
    fc.assert(
      fc.property(cuts, (places) => {
        const ends = [...places.sort((a, b) => a - b), bytes.length]
        const chunks = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
        const reader = readerFor(...digests)
        const got: FetchedBlock[] = chunks.flatMap((chunk) => [...reader.push([chunk])])
        assert.deepEqual(
          got.map(({ digest, status }) => [digest, status]),
          digests.map((digest, index) => [digest, ['missing', 'found', 'found', 'busy', 'found'][index]])
        )
        for (const [index, block] of [1, 2, 4].entries()) {
          const answer = got[block]!
          assert(answer.status === 'found' && Buffer.compare(answer.bytes, blocks[index]!) === 0)
        }
        assert.equal(reader.awaited, 0)
      }),
      { numRuns: 50 }
    )
  })

  it('refuses unrequested blocks, wrong bytes, and pieces that do not fit', () => {
    const block = randomBytes(5000)
    const digest = sha256Hex(block)
    const refused: [Uint8Array, RegExp][] = [
      [Buffer.concat([foundFrames(block), Uint8Array.of(1)]), /more data than was requested/],
      [foundFrames(randomBytes(5000)), /arrived with the wrong bytes/],
      [foundFrames(new Uint8Array(0)), /arrived with the wrong bytes/],
      [frame(encodeBlockAnswer({ status: 'found', length: BLOCK_BYTES_MAX + 1 })), /malformed answer/],
      [frame(new Uint8Array(600)), /header of 600 bytes/],
      [frame(new Uint8Array(0)), /header of 0 bytes/],
      [Uint8Array.of(0xff, 0xff, 0xff, 0xff), /too long/],
      [
        Buffer.concat([frame(encodeBlockAnswer({ status: 'found', length: 10 })), frame(new Uint8Array(11))]),
        /wrong length/
      ],
      [
        Buffer.concat([frame(encodeBlockAnswer({ status: 'found', length: 10 })), frame(new Uint8Array(0))]),
        /wrong length/
      ]
    ]
    for (const [bytes, reason] of refused)
      assert.throws(
        () => [...readerFor(digest).push([bytes])],
        (error: Error) => {
          assert.match(error.message, reason)
          return isProtocolError(error)
        }
      )
  })

  it('throws only NetworkError for any bytes, and returns nothing that was not requested', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat({ max: 3 }), (bytes, count) => {
        const digests = Array.from({ length: count }, (_, index) => digestOf(String(index)))
        try {
          const got = [...readerFor(...digests).push([bytes])]
          assert(got.length <= count && got.every(({ status }) => status !== 'found'))
        } catch (error) {
          assert(isProtocolError(error), String(error))
        }
      }),
      { numRuns: 500 }
    )
  })

  it('reuses memory for the next block', () => {
    const buffers = new BlockBuffers()
    const first = buffers.take(BLOCK_BYTES_MAX)
    buffers.give(first)
    const second = buffers.take(BLOCK_BYTES_MAX / 2)
    assert.equal(second.buffer, first.buffer)
    assert.equal(second.length, BLOCK_BYTES_MAX / 2)
    assert.notEqual(buffers.take(BLOCK_BYTES_MAX).buffer, first.buffer)
    // Small blocks, and foreign buffers, neither use nor become such memory.
    assert.equal(buffers.take(100).buffer.byteLength, 100)
    buffers.give(new Uint8Array(100))
    buffers.give(new Uint8Array(new ArrayBuffer(BLOCK_BYTES_MAX), 1))
    assert.equal(buffers.take(BLOCK_BYTES_MAX).byteOffset, 0)
  })
})
