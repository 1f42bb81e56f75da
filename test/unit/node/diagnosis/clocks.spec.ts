import assert from 'node:assert/strict'
import { judgeClocks } from '../../../../src/node/diagnosis/index.ts'

const samples = (...aheadMs: number[]) =>
  aheadMs.map((ahead, index) => ({ peerId: `peer ${index}`, aheadMs: ahead, roundTripMs: 40 }))

describe('clock comparison', () => {
  it('needs another peer, and tolerates five seconds', () => {
    assert.deepEqual(judgeClocks([]), { type: 'unknown' })
    assert.deepEqual(judgeClocks(samples(-30, 5_000, 10)), { type: 'together', aheadMs: 10 })
  })

  it('allows for the round trip time', () => {
    const slow = [{ peerId: 'far', aheadMs: 9_000, roundTripMs: 9_000 }]
    assert.equal(judgeClocks(slow).type, 'together')
  })

  it('blames the own clock when most others agree against it', () => {
    assert.deepEqual(judgeClocks(samples(60_000, 60_010, 10)), {
      type: 'own',
      aheadMs: 60_000,
      agreeing: 2,
      asked: 3
    })
  })

  it('blames the clocks that disagree with the majority', () => {
    const verdict = judgeClocks(samples(0, -60_000, 10, 20))
    assert.equal(verdict.type, 'others')
    assert(verdict.type === 'others' && verdict.peers[0]!.peerId === 'peer 1')
  })

  it('does not decide which of two clocks is wrong', () => {
    assert.deepEqual(judgeClocks(samples(-60_000)), { type: 'either', peerId: 'peer 0', aheadMs: -60_000 })
    assert.equal(judgeClocks(samples(60_000, 0)).type, 'others')
  })
})
