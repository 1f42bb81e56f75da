import assert from 'node:assert/strict'
import { runSituation } from '../../sim/mutant-table.ts'
import { MUTANTS } from '../../sim/mutants.ts'
import { seatSituations } from '../../sim/seat-situations.ts'
import { SITUATION_SEEDS, situations } from '../../sim/situations.ts'

describe('a broken rule', () => {
  const all = { ...situations, ...seatSituations }

  it('is each in a situation of its own', () => {
    assert.deepEqual(Object.keys(all).sort(), Object.keys(MUTANTS).sort())
  })

  for (const mutant of Object.keys(all)) {
    it(`${mutant}: is seen, and the sound rules stand in the same runs`, function () {
      this.timeout(120_000)
      for (let seed = 1; seed <= SITUATION_SEEDS; seed++) {
        assert.equal(runSituation(mutant, seed), undefined, `sound, seed ${seed}`)
        if (runSituation(mutant, seed, mutant) !== undefined) return
      }
      assert.fail(`not seen in ${SITUATION_SEEDS} runs`)
    })
  }
})
