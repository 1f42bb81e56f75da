import assert from 'node:assert/strict'
import { applyMutant, loadSubject, MUTANTS } from '../../sim/mutants/index.ts'
import { seatSituations } from '../../sim/runs/single-member-situations.ts'
import { SITUATION_SEEDS, situations } from '../../sim/scenarios/situations.ts'

describe('mutants of the protocol', () => {
  it('have one situation each', () => {
    assert.deepEqual(Object.keys({ ...situations, ...seatSituations }).sort(), Object.keys(MUTANTS).sort())
  })

  it('are refused when their text is missing from the source, or ambiguous', () => {
    const mutant = { ...MUTANTS.lock!, find: 'one', replace: 'two' }
    assert.equal(applyMutant('lock', mutant, 'zero one'), 'zero two')
    assert.throws(() => applyMutant('lock', mutant, 'zero'), /mutant lock no longer applies.*found 0 times/s)
    assert.throws(() => applyMutant('lock', mutant, 'one one'), /found 2 times/)
  })

  it('are refused when unknown', async () => {
    await assert.rejects(loadSubject('nonsense'), /unknown mutant nonsense; known: quorum, /)
  })

  for (const [name, { invariant, seed: recorded }] of Object.entries(MUTANTS)) {
    it(`are killed, while the unmodified protocol passes the same runs: ${name}`, async function () {
      this.timeout(120_000)
      const sound = await loadSubject()
      const mutant = await loadSubject(name)
      for (let run = 0; run < SITUATION_SEEDS; run++) {
        const seed = 1 + ((recorded - 1 + run) % SITUATION_SEEDS)
        assert.equal(sound.runSituation(name, seed), undefined, `without the mutant, seed ${seed}`)
        if (mutant.runSituation(name, seed)?.invariant === invariant) return
      }
      assert.fail(`survives ${SITUATION_SEEDS} runs: none violates ${invariant}`)
    })
  }
})
