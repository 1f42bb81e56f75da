import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { runScenario } from '../../sim/run-seed.ts'
import type { ShrunkScenario } from '../../sim/shrink.ts'

/** Written by `npm run sim -- --shrink`; `dist` holds none of them. */
const FOLDER = new URL('../../../sim/scenarios/', import.meta.url)

describe('a scenario that was shrunk', () => {
  for (const file of readdirSync(FOLDER)) {
    it(`${file}: stands under the sound rules, and shows what was broken`, function () {
      this.timeout(120_000)
      const { mutant, invariant, scenario } = JSON.parse(
        readFileSync(new URL(file, FOLDER), 'utf8')
      ) as ShrunkScenario
      assert.equal(runScenario(scenario).failure, undefined)
      if (mutant !== null) assert.equal(runScenario(scenario, mutant).failure?.invariant, invariant)
    })
  }
})
