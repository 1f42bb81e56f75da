import assert from 'node:assert/strict'
import { measureSimulated } from '../../../../bench/consensus/simulated.ts'

describe('the cost of a simulated round', () => {
  // Each trainer's manifest, every voter's word on each; a ready, two votes and an attestation a voter; one proposal.
  const broadcasts = (trainers: number, voters: number) => trainers + trainers * voters + 4 * voters + 1
  const received = (sent: number, members: number) => Number(((sent * (members - 1)) / members).toFixed(1))

  it('matches the messages that the rules send, with five delays from the last certificate to the seal', () => {
    for (const members of [4, 7]) {
      const { whole, votePath } = measureSimulated({ members, rounds: 2 })
      assert.equal(whole.messages, received(broadcasts(members, members), members))
      assert.equal(whole.delays, 5)
      assert.equal(votePath.messages, received(2 * members + 1, members))
      assert.equal(votePath.delays, 3)
      assert(votePath.bytes < whole.bytes)
    }
  })

  it('depends on the drawn members only, not on the size of the consortium', () => {
    for (const members of [12, 48]) {
      const { whole } = measureSimulated({ members, drawn: 4, rounds: 2 })
      assert.equal(whole.messages, received(broadcasts(4, 4), members))
      assert.equal(whole.delays, 5)
    }
  })
})
