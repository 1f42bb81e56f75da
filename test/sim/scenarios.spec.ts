import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { loadSubject } from '../../sim/mutants/index.ts'
import type { ShrunkScenario } from '../../sim/sweep/shrink.ts'

/** Written by `npm run sim -- --shrink`; `dist` holds none of them. */
const FOLDER = new URL('../../../sim/scenarios/shrunk/', import.meta.url)

describe('a shrunk scenario', () => {
  for (const file of readdirSync(FOLDER)) {
    it(`${file}: passes with the unmodified protocol, and kills its mutant`, async function () {
      this.timeout(120_000)
      const { mutant, invariant, scenario } = JSON.parse(
        readFileSync(new URL(file, FOLDER), 'utf8')
      ) as ShrunkScenario
      const sound = await loadSubject()
      assert.equal(sound.runScenario(scenario).failure, undefined)
      if (mutant === null) return
      const { runScenario } = await loadSubject(mutant)
      assert.equal(runScenario(scenario).failure?.invariant, invariant)
    })
  }
})
