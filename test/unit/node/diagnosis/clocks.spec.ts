import assert from 'node:assert/strict'
import { judgeClocks } from '../../../../src/node/diagnosis/index.ts'

const samples = (...aheadMs: number[]) =>
  aheadMs.map((ahead, index) => ({ peerId: `peer ${index}`, aheadMs: ahead, roundTripMs: 40 }))

describe('clocks', () => {
  it('cannot be judged alone, and agree within five seconds', () => {
    assert.deepEqual(judgeClocks([]), { type: 'unknown' })
    assert.deepEqual(judgeClocks(samples(-30, 5_000, 10)), { type: 'together', aheadMs: 10 })
  })

  it('are not blamed for what the way there may have taken', () => {
    const slow = [{ peerId: 'far', aheadMs: 9_000, roundTripMs: 9_000 }]
    assert.equal(judgeClocks(slow).type, 'together')
  })

  it('are wrong here where most others say so', () => {
    assert.deepEqual(judgeClocks(samples(60_000, 60_010, 10)), {
      type: 'own',
      aheadMs: 60_000,
      agreeing: 2,
      asked: 3
    })
  })

  it('are wrong with those that stand alone', () => {
    const verdict = judgeClocks(samples(0, -60_000, 10, 20))
    assert.equal(verdict.type, 'others')
    assert(verdict.type === 'others' && verdict.peers[0]!.peerId === 'peer 1')
  })

  it('leave it open which of two is wrong', () => {
    assert.deepEqual(judgeClocks(samples(-60_000)), { type: 'either', peerId: 'peer 0', aheadMs: -60_000 })
    assert.equal(judgeClocks(samples(60_000, 0)).type, 'others')
  })
})
