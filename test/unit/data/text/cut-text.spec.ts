import assert from 'node:assert/strict'
import fc from 'fast-check'
import { cutText } from '../../../../src/data/index.ts'

/** Text of words, spaces, sentence ends and newlines. */
const prose = fc
  .array(
    fc.constantFrom('whale', 'a', ' ', '  ', '. ', '\n', '\n\n', '\r\n', '\t', '—', '\u00a0', '\ufeff', '😀'),
    { maxLength: 200 }
  )
  .map((parts) => parts.join(''))

describe('data/text/cut-text', () => {
  it('divides text into bounded pieces that join to the same text', () => {
    fc.assert(
      fc.property(prose, fc.integer({ min: 2, max: 60 }), (text, maximum) => {
        const pieces = cutText(text, maximum)
        const withoutSpace = (value: string): string => value.replace(/\s+/g, '')
        assert.equal(withoutSpace(pieces.join('')), withoutSpace(text))
        for (const piece of pieces) assert.ok(piece.length > 0 && piece.length <= maximum, piece)
      })
    )
  })

  it('prefers to divide at an empty line, then a sentence, then a space', () => {
    assert.deepEqual(cutText('One two. Three\n\nfour five six seven.', 25), [
      'One two. Three',
      'four five six seven.'
    ])
    assert.deepEqual(cutText('It was so. It was not so. It was.', 26), [
      'It was so.',
      'It was not so. It was.'
    ])
  })
})
