import assert from 'node:assert/strict'
import { Network } from '../../sim/network/network.ts'
import { drawScenario } from '../../sim/scenarios/draw-scenario.ts'
import { CALM, type Scenario } from '../../sim/scenarios/scenario.ts'
import { hex } from '../../src/protocol/encoding/bytes.ts'
import { signedTwice } from '../../src/protocol/history/conflicting-seals.ts'
import { decodeSealedRound } from '../../src/protocol/history/sealed-round.ts'

/** Four members, two of them run as twins with one copy on either side: one more than the protocol tolerates. */
function twoHistories(seed: number): Scenario {
  return {
    ...drawScenario(1),
    seed,
    members: 4,
    rounds: 1,
    minShards: 1,
    signatures: seed % 2 === 0 ? 'real' : 'ideal',
    calmDelay: [5, 60],
    clocks: [1, 1, 1, 1],
    joiners: 0,
    changes: [],
    absences: [],
    miscomputes: [],
    faulty: [
      { member: 1, behaviours: ['twin'] },
      { member: 3, behaviours: ['twin'] }
    ],
    weather: [{ ...CALM, healMs: 1_000_000, partition: [0, 0, 1, 0] }]
  }
}

describe('more than f faulty members', () => {
  for (let seed = 1; seed <= 6; seed++) {
    it(`seed ${seed}: produce two histories, and the audit names them and no honest member`, () => {
      const network = new Network(twoHistories(seed))
      const { violations } = network.run()
      assert.ok(
        violations.some(({ invariant }) => /agreement/.test(invariant)),
        'the checker sees it'
      )
      const [one, other] = [0, 2].map((person) => network.copies.find((copy) => copy.person === person)!)
      while (!one!.sealed.has(1) || !other!.sealed.has(1)) assert.ok(network.queue.runNext())
      const [left, right] = [one!, other!].map((copy) => {
        const { context, bytes } = copy.sealed.get(1)!
        return decodeSealedRound(context, bytes, network.envelopeCheck.verify).seal
      })
      const named = signedTwice(network.genesis, left!, right!).map(hex)
      const faulty = network.copies.filter(({ isFaulty }) => isFaulty).map(({ peer }) => hex(peer))
      assert.ok(named.length > network.genesis.faulty, 'more than f')
      assert.ok(named.every((peer) => faulty.includes(peer)))
    })
  }
})
