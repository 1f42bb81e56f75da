import assert from 'node:assert/strict'
import type { CostRow } from '../../../../bench/consensus/cost-row.ts'
import { judgeRows } from '../../../../bench/consensus/verdict.ts'

function row(changes: Partial<CostRow>): CostRow {
  return {
    members: 100,
    mode: 'committee',
    messages: 500,
    bytes: 1e5,
    delays: 5,
    sent: 5,
    rounds: 1,
    ...changes
  }
}

describe('the verdict on costs', () => {
  it('passes five delays and flat costs', () => {
    const rows = [
      row({ mode: 'simulated', members: 4 }),
      row({ mode: 'vote-path', members: 4, delays: 3 }),
      row({}),
      row({ members: 1000, messages: 510, bytes: 1.049e5 }),
      row({ mode: 'processes', members: 4, messages: 9_000, delays: null })
    ]
    assert.deepEqual(judgeRows(rows), { flat: { messages: 1.02, bytes: 1.049 }, faults: [] })
  })

  it('names costs that grow or shrink with the members', () => {
    for (const bytes of [1.06e5, 0.94e5]) {
      const { faults } = judgeRows([row({}), row({ members: 1000, bytes })])
      assert.match(faults.join(), /bytes of a member are not flat/)
    }
    assert.match(judgeRows([row({}), row({ members: 1000, messages: 600 })]).faults.join(), /messages/)
  })

  it('names every row with another number of delays', () => {
    const rows = [row({ delays: 6 }), row({ mode: 'vote-path', delays: 5 }), row({ delays: null })]
    assert.equal(judgeRows(rows).faults.length, 3)
  })

  it('does not call costs flat without two rows to compare', () => {
    assert.equal(judgeRows([row({})]).flat, null)
    assert.equal(judgeRows([row({}), row({})]).flat, null)
  })
})
