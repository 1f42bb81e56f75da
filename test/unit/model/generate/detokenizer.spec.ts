import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import fc from 'fast-check'
import {
  createDetokenizer,
  createStopFilter,
  createTextTokenizer,
  loadTokenizer
} from '../../../../src/model/index.ts'
import { STORIES_FOLDER } from '../tiny-llama.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../tokenizers.ts'

type Tokenizer = ReturnType<typeof loadTokenizer>

/** Any tokens after any prompt, whole characters or not, stream as the tokenizer decodes them at once. */
function assertTellsTheSame(tokenizer: Tokenizer, lowest: number): void {
  const ids = fc.array(fc.integer({ min: lowest, max: tokenizer.vocabularySize - 1 }), { maxLength: 24 })
  fc.assert(
    fc.property(ids, (added) => {
      const detokenizer = createDetokenizer(tokenizer)
      const told = added.map((id) => detokenizer.push(id)).join('') + detokenizer.flush()
      assert.equal(told, tokenizer.decode(added))
    })
  )
}

describe('detokenizer', () => {
  it('byte-level: streams the same text as decoding at once, without partial characters', () => {
    const tokenizer = createTextTokenizer(BYTE_LEVEL_TOKENIZER, BYTE_LEVEL_CONFIG)
    assertTellsTheSame(tokenizer, 0)
    const detokenizer = createDetokenizer(tokenizer)
    assert.deepEqual(
      [11, 6, 7, 4, 6].map((id) => detokenizer.push(id)),
      [' h', '', 'é', 'o', '']
    )
    assert.equal(detokenizer.flush(), '\ufffd')
    assert.equal(detokenizer.flush(), '')
  })

  it('SentencePiece: keeps the space of a word after a prompt', function () {
    if (!existsSync(STORIES_FOLDER)) {
      console.log(`      skipped: there is no ${STORIES_FOLDER} (set LOAM_SHARED)`)
      this.skip()
    }
    const tokenizer = loadTokenizer(STORIES_FOLDER)
    assertTellsTheSame(tokenizer, 3)
    const [once, upon] = tokenizer.encode('Once upon') as [number, number]
    assert.equal(createDetokenizer(tokenizer, [tokenizer.bosId!]).push(once), 'Once')
    assert.equal(createDetokenizer(tokenizer, [once]).push(upon), ' upon')
    const fox = tokenizer.encode('🦊')
    const detokenizer = createDetokenizer(tokenizer, [once])
    assert.equal(fox.map((id) => detokenizer.push(id)).join(''), ' 🦊')
  })
})

/** Where the stop string that completes first begins, when the text arrives a character at a time. */
function firstComplete(text: string, stops: readonly string[]): number | undefined {
  for (let length = 1; length <= text.length; length++) {
    const ending = stops.filter((stop) => text.slice(0, length).endsWith(stop))
    if (ending.length > 0) return length - Math.max(...ending.map((stop) => stop.length))
  }
  return undefined
}

describe('stop filter', () => {
  it('passes everything before the first stop string, however the text is divided', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 30 })
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
      maxLength: 3
    })
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 5 }), stops, (pieces, wanted) => {
        const filter = createStopFilter(wanted)
        let through = ''
        for (const piece of pieces) through += filter.push(piece)
        const text = pieces.join('')
        const begin = firstComplete(text, wanted)
        assert.equal(filter.stopped, begin !== undefined)
        assert.equal(through + filter.flush(), text.slice(0, begin))
      })
    )
  })

  it('stops at the one that completes first when several overlap', () => {
    for (const pieces of [['abc'], ['a', 'b', 'c'], ['ab', 'c']]) {
      const filter = createStopFilter(['abc', 'b'])
      assert.equal(pieces.map((piece) => filter.push(piece)).join(''), 'a', pieces.join(' '))
      assert.equal(filter.stopped, true)
    }
  })

  it('holds back only the possible start of a stop string', () => {
    const filter = createStopFilter(['\n\nUser:', ''])
    assert.equal(filter.push('yes.\n'), 'yes.')
    assert.equal(filter.push('No'), '\nNo')
  })
})
