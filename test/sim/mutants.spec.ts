import assert from 'node:assert/strict'
import { MUTANTS } from './mutants.ts'
import { runScenario } from './run-seed.ts'
import { SITUATION_SEEDS, situations } from './situations.ts'

describe('a broken rule', () => {
  it('is each in a situation of its own', () => {
    assert.deepEqual(Object.keys(situations).sort(), Object.keys(MUTANTS).sort())
  })

  for (const [mutant, situation] of Object.entries(situations)) {
    it(`${mutant}: is seen, and the sound rules stand in the same runs`, function () {
      this.timeout(120_000)
      for (let seed = 1; seed <= SITUATION_SEEDS; seed++) {
        const scenario = situation(seed)
        assert.equal(runScenario(scenario).failure, undefined, `sound, seed ${seed}`)
        if (runScenario(scenario, mutant).failure !== undefined) return
      }
      assert.fail(`not seen in ${SITUATION_SEEDS} runs`)
    })
  }
})
