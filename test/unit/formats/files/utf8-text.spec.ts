import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodeUtf8, decodeUtf8Stream, TextEncodingError } from '../../../../src/formats/index.ts'

async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!
    yield bytes.subarray(at, at + size)
    at += size
  }
}

async function streamed(bytes: Uint8Array, sizes: readonly number[]): Promise<string> {
  let text = ''
  for await (const piece of decodeUtf8Stream(pieces(bytes, sizes), 'a')) text += piece
  return text
}

const bytesOf = (...parts: (string | number)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))))

describe('UTF-8 text', () => {
  it('decodes to the original, whole or in chunks, without a byte order mark', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\ufeff') && !text.includes('\0')),
        fc.array(fc.integer({ min: 4, max: 9 }), { minLength: 1, maxLength: 4 }),
        async (text, sizes) => {
          for (const mark of ['', '\ufeff']) {
            const bytes = Buffer.from(mark + text)
            assert.equal(decodeUtf8(bytes, 'a'), text)
            assert.equal(await streamed(bytes, sizes), text)
          }
        }
      )
    )
  })

  it('reports the line of the first invalid byte, and a possible remedy', async () => {
    const latin1 = bytesOf('one\nzwei \u00fc\ndrei ', 0xfc, '\nvier')
    const named = /^TextEncodingError: notes\.txt:3: is not UTF-8 text: .*iconv/
    assert.throws(() => decodeUtf8(latin1, 'notes.txt'), named)
    assert.throws(() => decodeUtf8(bytesOf(0x80, 'one\ntwo'), 'a'), /a:1: is not UTF-8/)
    for (const size of [4, 5, 6, 7, 11, 64])
      await assert.rejects(streamed(latin1, [size]), /^TextEncodingError: a:3: is not UTF-8/)
  })

  it('detects UTF-16, with or without a byte order mark', async () => {
    const utf16 = Buffer.from('{"text": "a"}', 'utf16le')
    const swapped = Buffer.from(utf16).swap16()
    for (const bytes of [utf16, swapped, bytesOf(0xff, 0xfe, 0x61, 0), bytesOf(0xfe, 0xff, 0, 0x61)]) {
      assert.throws(() => decodeUtf8(bytes, 'a'), /a:1: is UTF-16, not UTF-8 text.*save it as UTF-8/)
      await assert.rejects(streamed(bytes, [64]), /a:1: is UTF-16/)
    }
  })

  it('detects a text that ends inside a character', async () => {
    const cut = Buffer.from('a\n\u20ac').subarray(0, 4)
    assert.throws(() => decodeUtf8(cut, 'a'), /a:2: is not UTF-8/)
    await assert.rejects(streamed(cut, [64]), (error: Error) => {
      assert(error instanceof TextEncodingError)
      return /a:2: ends inside a character: is the file truncated/.test(error.message)
    })
  })
})
