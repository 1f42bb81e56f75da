import assert from 'node:assert/strict'
import { Network } from '../../sim/network/network.ts'
import { BEHAVIOURS, type Behaviour, CALM } from '../../sim/scenarios/scenario.ts'
import { situations } from '../../sim/scenarios/situations.ts'

const ROUNDS = 9
/** Rounds after which a member may have learned whom not to wait for. */
const LEARNED = 3
const SEEDS = [1, 2, 3]

/** Mean virtual milliseconds of a round, once members have learned. */
function roundMs(behaviour?: Behaviour): number {
  const total = SEEDS.reduce((sum, seed) => {
    const sealedAt = new Map<number, number>()
    const scenario = {
      ...situations.quorum!(seed),
      rounds: ROUNDS,
      weather: [CALM],
      gossips: true,
      trainMs: [1_000, 1_000],
      charter: { heldOutVeto: { margin: 0.5 } },
      faulty: behaviour === undefined ? [] : [{ member: 3, behaviours: [behaviour] }]
    } as const
    const { violations } = new Network(scenario, {
      sealed: (round, _bytes, at) => sealedAt.set(round, at)
    }).run()
    assert.deepEqual(violations, [])
    return sum + sealedAt.get(ROUNDS)! - sealedAt.get(LEARNED)!
  }, 0)
  return total / SEEDS.length / (ROUNDS - LEARNED)
}

describe('a faulty member, whatever its behaviour', function () {
  this.timeout(120_000)
  const honestMs = roundMs()

  for (const behaviour of BEHAVIOURS)
    it(`costs at most a tenth of a round after three rounds: ${behaviour}`, () => {
      const ms = roundMs(behaviour)
      assert.ok(ms <= 1.1 * honestMs, `${ms.toFixed(0)} ms a round, ${honestMs.toFixed(0)} without it`)
    })
})
