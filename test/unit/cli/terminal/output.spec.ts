import assert from 'node:assert/strict'
import fc from 'fast-check'
import { commaSeparated, positiveNumber, wholeNumber } from '../../../../src/cli/terminal/output.ts'
import { NotFittingError } from '../../../../src/cli/terminal/usage-error.ts'

describe('options of the command line', () => {
  it('take whole numbers of their range, written in digits, and nothing else', () => {
    const parse = wholeNumber('--steps', 2, 100)
    fc.assert(fc.property(fc.integer({ min: 2, max: 100 }), (value) => parse(String(value)) === value))
    for (const text of ['1', '101', '-3', '2.5', '1e1', '0x10', '', ' ', '3 ', 'x', 'Infinity'])
      assert.throws(() => parse(text), NotFittingError)
    assert.throws(() => parse('x'), /--steps must be a whole number from 2 to 100, not "x"/)
    assert.throws(() => wholeNumber('--steps', 1)('9007199254740993'), NotFittingError)
  })

  it('take positive numbers, and nothing else', () => {
    const parse = positiveNumber('--alpha')
    fc.assert(
      fc.property(
        fc.double({ min: Number.MIN_VALUE, max: 1e300, noNaN: true }),
        (x) => parse(String(x)) === x
      )
    )
    for (const text of ['0', '-1', '', ' ', 'x', 'NaN', 'Infinity', '1e999'])
      assert.throws(() => parse(text), NotFittingError)
  })

  it('take lists with or without spaces', () => {
    assert.deepEqual(commaSeparated(' q_proj, v_proj,,'), ['q_proj', 'v_proj'])
    assert.deepEqual(commaSeparated(''), [])
  })
})
