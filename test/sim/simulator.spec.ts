import assert from 'node:assert/strict'
import { runScenario, runSeed } from '../../sim/runs/run-seed.ts'
import { drawScenario } from '../../sim/scenarios/draw-scenario.ts'

/** Seeds of the short form; the long one is `npm run sim -- --seeds 10000 --jobs 2`. */
const SEEDS = 12

describe('a simulated consortium', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    it(`seed ${seed}: every honest member seals the same rounds`, function () {
      this.timeout(120_000)
      const { failure, rounds } = runSeed(seed)
      assert.equal(failure, undefined)
      assert.ok(rounds >= 5)
    })
  }

  it('is deterministic', () => {
    const scenario = drawScenario(19)
    const { cpuMs: _first, ...first } = runScenario(scenario)
    const { cpuMs: _second, ...second } = runScenario(scenario)
    assert.deepEqual(first, second)
  })
})
