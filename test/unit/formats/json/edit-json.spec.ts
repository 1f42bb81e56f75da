import assert from 'node:assert/strict'
import fc from 'fast-check'
import { editJson } from '../../../../src/formats/index.ts'

describe('editing JSON', () => {
  it('keeps numbers as they were written', () => {
    const text =
      '{"cap": 30.0, "epsilon": 1e-05, "count": 12, "deep": [{"big": 1.50}], "name": "1.0 and \\"2.0\\""}'
    const edited = editJson(text, 'x.json', (json) => ({ ...(json as object), added: 3 }))
    assert.equal(
      edited.replace(/\s+/g, ' '),
      '{ "cap": 30.0, "epsilon": 1e-05, "count": 12, "deep": [ { "big": 1.50 } ], "name": "1.0 and \\"2.0\\"", "added": 3 }'
    )
  })

  it('preserves the value when nothing is changed', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        assert.deepEqual(JSON.parse(editJson(text, 'x.json', (json) => json)), JSON.parse(text))
      })
    )
  })

  it('refuses invalid JSON', () => {
    assert.throws(() => editJson('{"a": 1.0,}', 'x.json', (json) => json), /x.json is not JSON/)
  })
})
