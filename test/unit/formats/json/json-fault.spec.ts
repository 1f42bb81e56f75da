import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parseJson } from '../../../../src/formats/index.ts'
import { jsonFault } from '../../../../src/formats/json/json-fault.ts'

/** A JSON text with one character left out, added or replaced. */
const damaged = fc
  .tuple(
    fc.json(),
    fc.nat(),
    fc.constantFrom('', ',', '"', '}', ']', '{', ':', '\\', '0', 'x', '\n', ' '),
    fc.boolean()
  )
  .map(([text, place, character, replaces]) => {
    const at = place % (text.length + 1)
    return text.slice(0, at) + character + text.slice(at + (replaces ? 1 : 0))
  })

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('the location of a JSON syntax error', () => {
  it('is found exactly when JSON.parse refuses the text', () => {
    fc.assert(
      fc.property(damaged, (text) => {
        assert.equal(jsonFault(text) === undefined, isJson(text), text)
      }),
      { numRuns: 500 }
    )
  })

  it('has a line, a column and a reason', () => {
    const cases: [string, number, number, RegExp][] = [
      ['{"a": 1,\n "b": 2,\n}', 3, 1, /key in double quotes, found "}" \(a comma after the last entry\?\)/],
      ['{"data": "D:\\notes\\x"}', 1, 19, /\\x is not a JSON escape.*paths with \//],
      ['{"a": 1\n "b": 2}', 2, 2, /a comma or } is missing/],
      ['{"a" 1}', 1, 6, /a colon is missing/],
      ['{"a": NaN}', 1, 7, /expected a value, found "NaN"/],
      ["{'a': 1}", 1, 2, /expected a key in double quotes/],
      ['[1, 2', 1, 6, /ends inside a list/],
      ['{"a": 1} {', 1, 10, /after the end/],
      ['["a\nb"]', 1, 2, /no closing quote/],
      ['', 1, 1, /the text is empty/]
    ]
    for (const [text, line, column, reason] of cases) {
      const fault = jsonFault(text)
      assert.deepEqual([fault?.line, fault?.column], [line, column], text)
      assert.match(fault!.reason, reason)
    }
    assert.throws(() => parseJson('{"a": 1,}', 'run.json'), {
      name: 'FormatError',
      message: /^run\.json is not JSON: line 1, column 9: /
    })
  })
})
