import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ServingTurns } from '../../../../../src/node/network/transfer/serving-turns.ts'

describe('turns of peers that request blocks', () => {
  it('are limited in total and per peer', () => {
    const turns = new ServingTurns({ requestsAtOnce: 3, requestsPerPeer: 2, keptMs: 100 })
    assert.deepEqual(
      ['greedy', 'greedy', 'greedy', 'modest', 'third'].map((peer) => turns.begin(peer, 0)),
      [true, true, false, true, false]
    )
    turns.end('greedy')
    assert(turns.begin('third', 1))
  })

  it('reserve the next slot for a refused peer until it should have returned', () => {
    const turns = new ServingTurns({ requestsAtOnce: 1, requestsPerPeer: 2, keptMs: 100 })
    assert(turns.begin('greedy', 0))
    assert(!turns.begin('modest', 1))
    turns.end('greedy')
    assert(!turns.begin('greedy', 2), 'the place is kept')
    assert(turns.begin('modest', 50))
    turns.end('modest')
    assert(turns.begin('greedy', 51), 'the greedy one waited too')
    assert(!turns.begin('modest', 52))
    turns.end('greedy')
    assert(turns.begin('greedy', 152), 'the other has not come back')
  })

  it('come to every peer that retries in time, however often others ask', () => {
    const peers = ['a', 'b', 'c', 'd', 'modest']
    const orders = fc.array(fc.shuffledSubarray([...peers, 'a', 'a', 'b'], { minLength: 8 }), {
      maxLength: 40
    })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), orders, (requestsAtOnce, rounds) => {
        const turns = new ServingTurns({ requestsAtOnce, requestsPerPeer: 2, keptMs: 10 })
        const running: string[] = []
        const roundsWithout = new Map(peers.map((peer) => [peer, 0]))
        for (const [now, asking] of rounds.entries()) {
          if (running.length === requestsAtOnce) turns.end(running.shift()!)
          for (const peer of asking) if (turns.begin(peer, now)) running.push(peer)
          assert(running.length <= requestsAtOnce)
          for (const peer of peers) {
            const without = running.includes(peer) ? 0 : roundsWithout.get(peer)! + 1
            roundsWithout.set(peer, without)
            assert(without <= peers.length, `${peer} got nothing ${without} times`)
          }
        }
      })
    )
  })
})
