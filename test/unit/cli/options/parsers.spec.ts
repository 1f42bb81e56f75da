import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  commaSeparated,
  integer,
  nonNegativeNumber,
  positiveNumber,
  share
} from '../../../../src/cli/options/parsers.ts'
import { UsageError } from '../../../../src/cli/terminal/usage-error.ts'

describe('parsers of command-line options', () => {
  it('accept decimal integers in their range, and nothing else', () => {
    const parse = integer('--steps', 2, 100)
    fc.assert(fc.property(fc.integer({ min: 2, max: 100 }), (value) => parse(String(value)) === value))
    for (const text of ['1', '101', '-3', '2.5', '1e1', '0x10', '', ' ', '3 ', 'x', 'Infinity'])
      assert.throws(() => parse(text), UsageError)
    assert.throws(() => parse('x'), /--steps must be an integer from 2 to 100, got "x"/)
    for (const [parse, accepts] of [
      [integer('--n', 0), 'a non-negative integer'],
      [integer('--n', 1), 'a positive integer'],
      [integer('--n', 2), 'an integer of at least 2']
    ] as const)
      assert.throws(() => parse('x'), new RegExp(`--n must be ${accepts}, got "x"`))
    assert.throws(() => integer('--steps', 1)('9007199254740993'), UsageError)
  })

  it('accept positive numbers, and nothing else', () => {
    const parse = positiveNumber('--alpha')
    fc.assert(
      fc.property(
        fc.double({ min: Number.MIN_VALUE, max: 1e300, noNaN: true }),
        (x) => parse(String(x)) === x
      )
    )
    for (const text of ['0', '-1', '', ' ', 'x', 'NaN', 'Infinity', '1e999'])
      assert.throws(() => parse(text), UsageError)
  })

  it('accept numbers from 0, and shares up to 1', () => {
    assert.deepEqual(['0', '0.5', '7'].map(nonNegativeNumber('--x')), [0, 0.5, 7])
    assert.throws(() => nonNegativeNumber('--x')('-1'), /--x must be a non-negative number, got "-1"/)
    assert.deepEqual(['0.5', '1'].map(share('--x')), [0.5, 1])
    for (const text of ['0', '1.5', '']) assert.throws(() => share('--x')(text), UsageError)
  })

  it('accept lists with or without spaces', () => {
    assert.deepEqual(commaSeparated(' q_proj, v_proj,,'), ['q_proj', 'v_proj'])
    assert.deepEqual(commaSeparated(''), [])
  })
})
