import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { GgufFile, GgufValue } from '../../../../src/formats/index.ts'
import { decodeGguf, encodeGguf } from '../../../support/gguf-reader.ts'

const metadata = new Map<string, GgufValue>([
  ['general.architecture', { type: 'string', value: 'llama' }],
  ['llama.block_count', { type: 'uint32', value: 5 }],
  ['a.signed', { type: 'int16', value: -7 }],
  ['a.large', { type: 'uint64', value: 2 ** 40 + 1 }],
  ['a.negative', { type: 'int64', value: -(2 ** 40) }],
  ['a.rate', { type: 'float32', value: 0.5 }],
  ['a.double', { type: 'float64', value: 0.1 }],
  ['a.flag', { type: 'bool', value: true }],
  ['tokenizer.ggml.tokens', { type: 'array', of: 'string', value: ['<s>', 'é', ''] }],
  ['tokenizer.ggml.scores', { type: 'array', of: 'float32', value: [0, -1] }],
  ['a.flags', { type: 'array', of: 'bool', value: [true, false] }]
])
const tensors = new Map([
  ['token_embd.weight', { shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
  ['norm.weight', { shape: [5], data: Float32Array.of(1, -0, 3, 2 ** -130, 5) }]
])
const file: GgufFile = { metadata, tensors }

describe('GGUF', () => {
  it('round-trips', () => {
    assert.deepEqual(decodeGguf(encodeGguf(file)), file)
  })

  it('has the layout of the specification', () => {
    const bytes = encodeGguf({
      metadata: new Map<string, GgufValue>([['k', { type: 'uint32', value: 9 }]]),
      tensors: new Map([['t', { shape: [1, 2], data: Float32Array.of(1, 2) }]])
    })
    const text = Buffer.from(bytes)
    assert.equal(text.toString('latin1', 0, 4), 'GGUF')
    const head = Buffer.concat([
      Buffer.from('GGUF'),
      u32(3),
      u64(1),
      u64(1),
      u64(1),
      Buffer.from('k'),
      u32(4),
      u32(9),
      u64(1),
      Buffer.from('t'),
      u32(2),
      u64(2),
      u64(1),
      u32(0),
      u64(0)
    ])
    assert.deepEqual(text.subarray(0, head.length), head)
    const start = Math.ceil(head.length / 32) * 32
    assert.deepEqual([text.readFloatLE(start), text.readFloatLE(start + 4)], [1, 2])
    assert.equal(text.length, start + 32)
  })

  it('rounds to the 16-bit formats tensor by tensor', () => {
    const format = (name: string): 'F16' | 'BF16' => (name === 'norm.weight' ? 'F16' : 'BF16')
    const found = decodeGguf(encodeGguf(file, { format }))
    assert.deepEqual(found.tensors.get('token_embd.weight'), tensors.get('token_embd.weight'))
    assert.deepEqual(found.tensors.get('norm.weight')!.data, Float32Array.of(1, -0, 3, 0, 5))
  })

  it('refuses what cannot be written', () => {
    const write = (value: GgufValue): Uint8Array =>
      encodeGguf({ metadata: new Map([['k', value]]), tensors: new Map() })
    assert.throws(() => write({ type: 'uint8', value: 256 }), /256 does not fit uint8/)
    assert.throws(() => write({ type: 'uint64', value: 1.5 }), /1.5 does not fit uint64/)
    assert.throws(
      () => encodeGguf({ metadata, tensors: new Map([['t', { shape: [2], data: Float32Array.of(1) }]]) }),
      /does not fit 1 elements/
    )
    const long = new Map([['t'.repeat(64), { shape: [1], data: Float32Array.of(1) }]])
    assert.throws(() => encodeGguf({ metadata, tensors: long }), /at most 63 bytes/)
  })

  it('decodes damaged bytes to values or one kind of error, and never reads past the end', () => {
    const bytes = encodeGguf(file)
    for (let length = 0; length < bytes.length - 32; length += 7)
      assert.throws(() => decodeGguf(bytes.subarray(0, length)), { name: 'FormatError' })
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
        const changed = bytes.slice()
        changed[at] = byte
        try {
          decodeGguf(changed)
        } catch (error) {
          assert.equal((error as Error).name, 'FormatError')
        }
      }),
      { numRuns: 500 }
    )
  })
})

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
