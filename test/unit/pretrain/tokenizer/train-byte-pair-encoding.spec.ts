import assert from 'node:assert/strict'
import { Tokenizer } from '@huggingface/tokenizers'
import fc from 'fast-check'
import { loadStateOfTheUnion } from '../../../../pretrain/corpus/packages/index.ts'
import { tokenizerFiles, trainBytePairEncoding } from '../../../../pretrain/index.ts'
import { BYTE_CHARACTERS } from '../../../../pretrain/tokenizer/byte-alphabet.ts'
import { END_OF_TEXT, END_OF_TEXT_ID } from '../../../../pretrain/tokenizer/tokenizer-files.ts'

describe('pretrain/train-byte-pair-encoding', () => {
  const speeches = loadStateOfTheUnion((year) => year === 1862).map(({ text }) => text)
  const encoding = trainBytePairEncoding(speeches, 511)
  const { tokenizer: json, config } = tokenizerFiles(encoding, 256)
  const library = new Tokenizer(json, config)
  const encode = (text: string): number[] =>
    text === '' ? [] : library.encode(text, { add_special_tokens: false }).ids
  const decode = (ids: number[]): string =>
    ids.length === 0
      ? ''
      : library.decode(ids, { skip_special_tokens: false, clean_up_tokenization_spaces: false })

  it('has one character for each byte', () => {
    assert.equal(new Set(BYTE_CHARACTERS).size, 256)
    assert.equal(BYTE_CHARACTERS[0x20], 'Ġ')
    assert.equal(BYTE_CHARACTERS[0x0a], 'Ċ')
    assert.equal(BYTE_CHARACTERS[0x41], 'A')
  })

  it('merges the most frequent pair first, and the lowest ids among ties', () => {
    const { merges, pieces } = trainBytePairEncoding(['abab abab', 'cd'], 260)
    // "ab" stands four times, then "abab" twice; " abab" and "cd" once each, and the space's byte is the lowest.
    assert.deepEqual(merges, [
      ['a', 'b'],
      ['ab', 'ab'],
      ['Ġ', 'abab'],
      ['c', 'd']
    ])
    assert.deepEqual(pieces.slice(256), ['ab', 'abab', 'Ġabab', 'cd'])
  })

  it('agrees with a trainer that recounts everything for each merge', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' '), maxLength: 30 }), { maxLength: 6 }),
        (texts) => {
          assert.deepEqual(trainBytePairEncoding(texts, 270).merges, countAgain(texts, 270 - 256))
        }
      )
    )
  })

  it('produces a tokenizer for the library that loses nothing', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary' }),
      fc.constantFrom(...speeches)
    )
    fc.assert(
      fc.property(text, (original) => {
        fc.pre(!original.includes(END_OF_TEXT) && !original.startsWith('\ufeff'))
        const ids = encode(original)
        assert.ok(ids.every((id) => id > END_OF_TEXT_ID && id < 512))
        assert.equal(decode(ids), original)
      }),
      { numRuns: 300 }
    )
  })

  it('compresses text like its training text', () => {
    const ids = encode(speeches[0]!)
    assert.ok(
      ids.length < 0.55 * speeches[0]!.length,
      `${ids.length} tokens for ${speeches[0]!.length} characters`
    )
  })

  it('encodes the document separator as one special token', () => {
    assert.deepEqual(encode(END_OF_TEXT), [END_OF_TEXT_ID])
    assert.equal(library.token_to_id(END_OF_TEXT), END_OF_TEXT_ID)
  })

  it('adds the separator before a text when special tokens are requested', () => {
    assert.deepEqual(library.encode('war').ids, [END_OF_TEXT_ID, ...encode('war')])
  })

  it('is deterministic', () => {
    assert.deepEqual(trainBytePairEncoding(speeches, 511), encoding)
  })

  it('refuses a vocabulary smaller than the bytes', () => {
    assert.throws(() => trainBytePairEncoding([], 255), /255 pieces/)
  })
})

/** The definition of byte-pair encoding, without the bookkeeping that makes it fast. */
function countAgain(texts: readonly string[], mergeCount: number): [string, string][] {
  // Of the word pattern, only what these four characters need: words and runs of spaces.
  const words = texts
    .flatMap((text) => text.match(/ ?[a-z]+|\s+(?!\S)|\s+/g) ?? [])
    .map((word) => [...Buffer.from(word)])
  const names = [...BYTE_CHARACTERS]
  const merges: [string, string][] = []
  while (merges.length < mergeCount) {
    const counts = new Map<string, number>()
    for (const word of words) {
      for (let index = 1; index < word.length; index++) {
        const key = `${word[index - 1]},${word[index]}`
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
    }
    const ranked = [...counts]
      .map(([key, count]) => ({ pair: key.split(',').map(Number) as [number, number], count }))
      .sort(
        (one, other) => other.count - one.count || one.pair[0] - other.pair[0] || one.pair[1] - other.pair[1]
      )
    const best = ranked[0]
    if (best === undefined) break
    const [left, right] = best.pair
    merges.push([names[left]!, names[right]!])
    for (const word of words) {
      for (let index = 0; index + 1 < word.length; index++) {
        if (word[index] === left && word[index + 1] === right) word.splice(index, 2, names.length)
      }
    }
    names.push(names[left]! + names[right]!)
  }
  return merges
}
