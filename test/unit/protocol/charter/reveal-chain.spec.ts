import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createRevealChain, isNextReveal } from '../../../../src/protocol/charter/reveal-chain.ts'

const LENGTH = 20

describe('a reveal chain', () => {
  const chain = createRevealChain(new Uint8Array(32).fill(3), LENGTH)

  it('is revealed from its end to its secret, one preimage at a time, and is then exhausted', () => {
    let anchor = chain.anchor
    for (let step = 0; step < LENGTH; step++) {
      const reveal = chain.before(anchor)!
      assert.ok(isNextReveal(anchor, reveal))
      assert.deepEqual(createHash('sha256').update(reveal).digest(), Buffer.from(anchor))
      anchor = reveal
    }
    assert.deepEqual(anchor, new Uint8Array(32).fill(3))
    assert.equal(chain.before(anchor), undefined)
  })

  it('has no reveal for an anchor that is not on it, nor for one of another length', () => {
    assert.equal(chain.before(new Uint8Array(32)), undefined)
    assert.ok(!isNextReveal(chain.anchor, chain.anchor))
    assert.ok(!isNextReveal(chain.anchor, new Uint8Array(31)))
    assert.throws(() => createRevealChain(new Uint8Array(31)), /32 bytes, got 31/)
  })
})
