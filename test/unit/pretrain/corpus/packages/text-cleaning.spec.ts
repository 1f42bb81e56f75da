import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  contentDigest,
  normaliseWhitespace,
  unwrapParagraphs
} from '../../../../../pretrain/corpus/packages/index.ts'

/** Text of words, spaces, sentence ends and newlines. */
const prose = fc
  .array(
    fc.constantFrom('whale', 'a', ' ', '  ', '. ', '\n', '\n\n', '\r\n', '\t', '—', '\u00a0', '\ufeff', '😀'),
    { maxLength: 200 }
  )
  .map((parts) => parts.join(''))

describe('pretrain/corpus/packages/text-cleaning', () => {
  it('is idempotent', () => {
    fc.assert(
      fc.property(fc.oneof(prose, fc.string({ unit: 'binary' })), (text) => {
        const clean = normaliseWhitespace(text)
        assert.equal(normaliseWhitespace(clean), clean)
        assert.doesNotMatch(clean, /\n{3}| {2}| \n|\n |\r|\t|\ufffd/)
        assert.doesNotMatch(clean, /\p{Cs}/u)
      })
    )
    assert.equal(normaliseWhitespace(' a\t b\r\n\r\n\r\n\r\nc\u200b \n d\ufffd '), 'a b\n\nc\nd')
  })

  it('joins wrapped lines and keeps paragraphs', () => {
    assert.equal(
      unwrapParagraphs('Call me\nIshmael.\n\nSome years\nago'),
      'Call me Ishmael.\n\nSome years ago'
    )
  })

  it('recognises equal texts in any layout', () => {
    assert.equal(contentDigest('Free MONEY!\n\nNow.'), contentDigest('free money -- now'))
    assert.notEqual(contentDigest('free money'), contentDigest('free honey'))
  })
})
