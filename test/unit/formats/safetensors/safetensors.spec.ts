import assert from 'node:assert/strict'
import fc from 'fast-check'
import { SafetensorsError } from '../../../../src/formats/safetensors/header.ts'
import {
  decodeSafetensors,
  encodeSafetensors,
  safetensorsChunks
} from '../../../../src/formats/safetensors/safetensors.ts'
import { anyTensors, bitsOf } from '../../adapter/arbitraries.ts'

/** A file with any header text, which the encoder would not write. */
function fileOf(header: string | Uint8Array, data: Uint8Array = new Uint8Array()): Uint8Array {
  const text = Buffer.from(header as string)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, data])
}

function entry(begin: number, end: number, shape: string, dtype = 'F32'): string {
  return `{"data_offsets":[${begin},${end}],"dtype":"${dtype}","shape":${shape}}`
}

describe('safetensors', () => {
  it('writes the canonical bytes of a known file', () => {
    const file = encodeSafetensors(
      new Map([
        ['b', { shape: [2], data: Float32Array.of(1, -0) }],
        ['a', { shape: [1, 1], data: Float32Array.of(2 ** -149) }]
      ]),
      { metadata: { z: '1', rank: '8' } }
    )
    const header =
      '{"__metadata__":{"rank":"8","z":"1"},"a":{"data_offsets":[0,4],"dtype":"F32","shape":[1,1]},' +
      '"b":{"data_offsets":[4,12],"dtype":"F32","shape":[2]}}'
    const data = Uint8Array.of(1, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x80)
    assert.deepEqual(Buffer.from(file), fileOf(header, data))
  })

  it('returns every name, shape, bit and metadata string, and writes the same file again', () => {
    fc.assert(
      fc.property(anyTensors, fc.dictionary(fc.string(), fc.string()), (tensors, metadata) => {
        const file = encodeSafetensors(tensors, { metadata })
        const decoded = decodeSafetensors(file)
        assert.deepEqual([...decoded.tensors.keys()].sort(), [...tensors.keys()].sort())
        for (const [name, { shape, data }] of tensors) {
          const back = decoded.tensors.get(name)!
          assert.deepEqual(back.shape, shape)
          assert.deepEqual(bitsOf(back.data), bitsOf(data))
        }
        assert.deepEqual(Object.entries(decoded.metadata).sort(), Object.entries(metadata).sort())
        assert.deepEqual(encodeSafetensors(decoded.tensors, { metadata: decoded.metadata }), file)
      })
    )
  })

  it('is independent of the order of the map, and its chunks join to the file', () => {
    fc.assert(
      fc.property(anyTensors, (tensors) => {
        const file = encodeSafetensors(tensors)
        assert.deepEqual(encodeSafetensors(new Map([...tensors].reverse())), file)
        assert.deepEqual(new Uint8Array(Buffer.concat([...safetensorsChunks(tensors)])), file)
      })
    )
  })

  it('reads at any offset in a larger buffer', () => {
    const file = encodeSafetensors(new Map([['w', { shape: [3], data: Float32Array.of(1, 2, 3) }]]))
    for (let offset = 0; offset < 4; offset++) {
      const buffer = Buffer.alloc(file.length + 8)
      buffer.set(file, offset)
      const { tensors } = decodeSafetensors(buffer.subarray(offset, offset + file.length))
      assert.deepEqual(tensors.get('w')!.data, Float32Array.of(1, 2, 3))
      buffer.fill(0)
      assert.deepEqual(tensors.get('w')!.data, Float32Array.of(1, 2, 3))
    }
  })

  it('stores 16-bit tensors exactly after the first rounding', () => {
    fc.assert(
      fc.property(anyTensors, fc.constantFrom('F16' as const, 'BF16' as const), (tensors, dtype) => {
        const file = encodeSafetensors(tensors, { dtype })
        assert.deepEqual(encodeSafetensors(decodeSafetensors(file).tensors, { dtype }), file)
      })
    )
  })

  it('reads only the selected tensors, whatever the dtype of the others', () => {
    const file = fileOf(
      `{"mask":${entry(0, 8, '[1]', 'I64')},"w":${entry(8, 12, '[1]')}}`,
      new Uint8Array(12)
    )
    assert.throws(() => decodeSafetensors(file), /mask.*I64/)
    assert.deepEqual([...decodeSafetensors(file, { select: (name) => name === 'w' }).tensors.keys()], ['w'])
  })

  const four = new Uint8Array(4)
  const refused: [string, Uint8Array, RegExp][] = [
    ['an empty file', new Uint8Array(), /too few/],
    ['a header longer than the file', Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0, 123), /truncated/],
    ['a header length beyond every bound', new Uint8Array(8).fill(255), /at most/],
    ['bad JSON', fileOf('{"a":'), /not JSON/],
    ['bad UTF-8', fileOf(Uint8Array.of(0x22, 0xff, 0x22)), /not JSON/],
    ['an array', fileOf('[]'), /not a JSON object/],
    [
      'a repeated key',
      fileOf(`{"a":${entry(0, 4, '[1]')},"\\u0061" :${entry(0, 4, '[1]')}}`, four),
      /"a" is repeated/
    ],
    [
      'a repeated inner key',
      fileOf(`{"a":{"dtype":"F16",${entry(0, 4, '[1]').slice(1)}}`, four),
      /"dtype" is repeated/
    ],
    ['an unknown dtype', fileOf(`{"a":${entry(0, 4, '[1]', 'F31')}}`, four), /unknown dtype "F31"/],
    ['an unknown field', fileOf(`{"a":{"x":1,${entry(0, 4, '[1]').slice(1)}}`, four), /exactly the keys/],
    ['a negative extent', fileOf(`{"a":${entry(0, 4, '[-1]')}}`, four), /invalid shape/],
    ['a fractional offset', fileOf(`{"a":${entry(0, 3.5, '[1]')}}`, four), /invalid data_offsets/],
    ['data outside the file', fileOf(`{"a":${entry(0, 8, '[2]')}}`, four), /outside the file/],
    ['offsets the wrong way round', fileOf(`{"a":${entry(4, 0, '[1]')}}`, four), /outside the file/],
    [
      'a shape beyond exact integers',
      fileOf(`{"a":${entry(0, 4, '[9007199254740991,9007199254740991]')}}`, four),
      /too large/
    ],
    ['a shape that does not fit', fileOf(`{"a":${entry(0, 4, '[2]')}}`, four), /its shape needs 8/],
    ['overlap', fileOf(`{"a":${entry(0, 4, '[1]')},"b":${entry(0, 4, '[1]')}}`, four), /overlaps/],
    ['a hole', fileOf(`{"a":${entry(4, 8, '[1]')}}`, new Uint8Array(8)), /4 bytes before "a"/],
    ['trailing bytes', fileOf(`{"a":${entry(0, 4, '[1]')}}`, new Uint8Array(5)), /1 bytes at the end/],
    ['metadata that is not a string', fileOf('{"__metadata__":{"rank":8}}'), /"rank" is not a string/]
  ]
  for (const [what, file, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => decodeSafetensors(file),
        (error) => error instanceof SafetensorsError && message.test(error.message)
      )
    })
  }

  it('refuses a header above the caller’s bound', () => {
    const file = encodeSafetensors(new Map([['a', { shape: [0], data: new Float32Array() }]]))
    assert.throws(() => decodeSafetensors(file, { maxHeaderBytes: 10 }), /at most 10/)
  })

  it('throws only SafetensorsError on mutated files', () => {
    const mutation = fc.record({
      at: fc.nat(),
      value: fc.integer({ min: 0, max: 255 }),
      cut: fc.nat({ max: 3 })
    })
    fc.assert(
      fc.property(anyTensors, fc.array(mutation, { minLength: 1, maxLength: 4 }), (tensors, mutations) => {
        let file = encodeSafetensors(tensors)
        for (const { at, value, cut } of mutations) {
          file[at % file.length] = value
          if (cut === 0) file = file.subarray(0, at % file.length || 1)
        }
        try {
          decodeSafetensors(file)
        } catch (error) {
          assert(error instanceof SafetensorsError, String(error))
        }
      }),
      { numRuns: 1000 }
    )
  })

  it('refuses to write a shape that does not match the data', () => {
    assert.throws(
      () => encodeSafetensors(new Map([['w', { shape: [2, 2], data: new Float32Array(3) }]])),
      SafetensorsError
    )
  })
})
