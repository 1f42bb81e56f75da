import assert from 'node:assert/strict'
import { OwnBlocks } from '../../../../../src/node/network/transfer/own-blocks.ts'

describe('an author’s own blocks', () => {
  it('are sent once, and then left to others', () => {
    const own = new OwnBlocks()
    own.publish(['d'])
    assert.equal(own.refusal('d', 'first', 0, 0), undefined)
    assert(own.refusal('d', 'second', 0, 100)! > 0, 'the first has just got it')
    assert(own.refusal('d', 'third', 1, 60_000)! > 0, 'somebody else has it')
  })

  it('are sent again when the first recipient announces nothing', () => {
    const own = new OwnBlocks()
    own.publish(['d'])
    own.refusal('d', 'first', 0, 0)
    assert.equal(own.refusal('d', 'second', 0, 60_000), undefined)
  })

  it('are sent eventually to a persistent client, which may reach nobody else', () => {
    const own = new OwnBlocks()
    own.publish(['d'])
    const waits: number[] = []
    let wait = own.refusal('d', 'alone', 3, 0)
    while (wait !== undefined) {
      waits.push(wait)
      wait = own.refusal('d', 'alone', 3, 0)
    }
    assert(waits.length > 1 && waits.length < 10)
    assert.deepEqual(
      waits,
      [...waits].sort((a, b) => a - b)
    )
    assert(own.refusal('d', 'another', 3, 0)! > 0)
  })

  it('do not include those of other authors, nor old ones', () => {
    const own = new OwnBlocks()
    assert.equal(own.refusal('other', 'a', 5, 0), undefined)
    for (const digest of ['1', '2', '3']) own.publish([digest])
    assert.equal(own.refusal('1', 'a', 5, 0), undefined)
    assert(own.refusal('2', 'a', 5, 0)! > 0)
  })
})
