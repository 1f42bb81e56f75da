import assert from 'node:assert/strict'
import { deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { readRLazyData } from '../../../../../pretrain/corpus/added-texts/r-lazy-data.ts'

const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** What R's serialize() begins with: XDR mark, version, and in version 3 the native encoding. */
const header = (version: 2 | 3): Buffer =>
  Buffer.concat([
    Buffer.from('X\n'),
    int(version),
    int(0x040201),
    int(0x030500),
    ...(version === 3 ? [int(5), Buffer.from('UTF-8')] : [])
  ])

/** A CHARSXP; null stands for NA. */
const string = (text: string | null): Buffer => {
  if (text === null) return Buffer.concat([int(9), int(-1)])
  const bytes = Buffer.from(text)
  return Buffer.concat([int(0x00040009), int(bytes.length), bytes])
}

const strings = (texts: readonly (string | null)[]): Buffer =>
  Buffer.concat([int(16), int(texts.length), ...texts.map(string)])

/** An R lazy-load database of data sets, as R writes it. */
function lazyData(
  sets: readonly (readonly [string, Buffer])[],
  version: 2 | 3
): { index: Buffer; database: Buffer } {
  const entries: Buffer[] = []
  const places: Buffer[] = []
  let offset = 0
  for (const [, value] of sets) {
    const plain = Buffer.concat([header(version), value])
    const entry = Buffer.concat([int(plain.length), deflateSync(plain)])
    places.push(Buffer.concat([int(13), int(2), int(offset), int(entry.length)]))
    entries.push(entry)
    offset += entry.length
  }
  const names = Buffer.concat([int(0x402), int(1), string('names'), strings(sets.map(([name]) => name))])
  const variables = Buffer.concat([int(0x213), int(sets.length), ...places, names, int(254)])
  const index = Buffer.concat([header(version), int(0x213), int(3), variables])
  return { index: gzipSync(index), database: Buffer.concat(entries) }
}

describe('pretrain/corpus/added-texts/r-lazy-data', () => {
  it('reads every line of every data set, whatever its name and characters', () => {
    const lines = fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 8 })
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string({ minLength: 1 }), lines), {
          maxLength: 5,
          selector: ([name]) => name
        }),
        fc.constantFrom(2 as const, 3 as const),
        (sets, version) => {
          const { index, database } = lazyData(
            sets.map(([name, texts]) => [name, strings(texts)] as const),
            version
          )
          assert.deepEqual([...readRLazyData(index, database)], sets)
        }
      )
    )
  })

  it('reads a missing value as an empty line', () => {
    const { index, database } = lazyData([['poem', strings(['one', null, 'two'])]], 3)
    assert.deepEqual(readRLazyData(index, database).get('poem'), ['one', '', 'two'])
  })

  it('refuses a numeric data set by name', () => {
    const { index, database } = lazyData([['heights', Buffer.concat([int(13), int(1), int(7)])]], 3)
    assert.throws(
      () => readRLazyData(index, database),
      /data set heights is not a vector of character strings/
    )
  })
})
