import assert from 'node:assert/strict'
import { aggregationRule, flora } from '../../../../lab/aggregation/index.ts'

describe('aggregation rules', () => {
  it('are found by name', () => {
    assert.equal(aggregationRule('flora'), flora)
    assert.throws(
      () => aggregationRule('average'),
      /unknown aggregation rule "average", expected one of: flora, /
    )
  })
})
