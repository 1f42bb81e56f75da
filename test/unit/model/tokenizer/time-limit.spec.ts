import assert from 'node:assert/strict'
import { limitedEncoder } from '../../../../src/model/tokenizer/time-limit.ts'

describe('the time limit for encoding a text', () => {
  const ofPattern = (pattern: RegExp) => (text: string) => [pattern.exec(text)?.[0].length ?? 0]
  const limit = () => 200

  it('stops a pattern that would take hours', () => {
    const encode = limitedEncoder(ofPattern(/a*a*a*b/u), limit)
    assert.throws(
      () => encode('a'.repeat(20_000)),
      /tokenizing a text of 20000 characters took more than 0\.2 s: a pattern of tokenizer\.json/
    )
    assert.deepEqual(encode(`${'a'.repeat(600)}b`), [601])
  })

  it('passes on other results and errors unchanged', () => {
    const text = 'x'.repeat(1_000)
    assert.deepEqual(limitedEncoder((given) => [given.length])(text), [1_000])
    assert.deepEqual(limitedEncoder((given) => [given.length], limit)(''), [0])
    const failing = limitedEncoder(() => {
      throw new RangeError('no such id')
    }, limit)
    assert.throws(() => failing(text), RangeError)
    const nested = limitedEncoder((given) => limitedEncoder((inner) => [inner.length])(given + given), limit)
    assert.deepEqual(nested(text), [2_000])
  })
})
