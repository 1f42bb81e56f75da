import assert from 'node:assert/strict'
import { loadSubject, MUTANTS } from '../../sim/mutants/index.ts'
import { runScenario, runSeed } from '../../sim/runs/run-seed.ts'
import { situations } from '../../sim/scenarios/situations.ts'

/** Mutants with which a round takes for ever, or far too long, although no view exceeds its limit. */
const STALLING = ['gather-time', 'vote-time', 'sync', 'retain']

/** Runs in which the others needed longer than two exchanges with all copies and two builds. */
const COMMITTED_EARLY = [3419, 3509, 4217]

/** A member with a short precommit timer left every view before the one with a long timer had entered it. */
const UNLIKE_DEADLINES = 5721

describe('the time allowed for a round', () => {
  it('is enough when members have measured different delays', () => {
    const { failure, highestView } = runSeed(UNLIKE_DEADLINES)
    assert.equal(failure, undefined)
    assert(highestView < 12, `${highestView}`)
  })

  for (const seed of COMMITTED_EARLY)
    it(`is enough when a member committed before the network healed (seed ${seed})`, () => {
      const { failure, strain } = runSeed(seed)
      assert.equal(failure, undefined)
      assert(strain <= 1, `${strain}`)
    })

  for (const mutant of STALLING) {
    it(`is not enough with ${mutant}, and enough without it`, async () => {
      const broken = await loadSubject(mutant)
      for (let { seed } = MUTANTS[mutant]!; seed <= 12; seed++) {
        const scenario = situations[mutant]!(seed)
        const sound = runScenario(scenario)
        assert.equal(sound.failure, undefined)
        assert(sound.strain <= 1, `${sound.strain}`)
        const { failure } = broken.runScenario(scenario)
        if (failure === undefined) continue
        assert.equal(failure.invariant, 'stall')
        assert.match(failure.text, /did not seal within \d+ ms of healing/)
        return
      }
      assert.fail('no run was too slow')
    })
  }
})
