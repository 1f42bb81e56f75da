import assert from 'node:assert/strict'
import { fuzz } from '../../../sim/fuzz/fuzz.ts'
import { wireTargets } from '../../../sim/fuzz/targets.ts'

/** Inputs a kind in the short form; the long one is `npm run fuzz -- --inputs 1000000`. */
const INPUTS = 1_500

describe('the decoders of the wire', function () {
  this.timeout(120_000)
  for (const target of wireTargets()) {
    it(`${target.kind}: reads what is whole, and refuses or reads what is damaged, without any other throw`, () => {
      for (const sample of target.samples) target.read(sample)
      const { thrown, refused } = fuzz(target, INPUTS, 1)
      assert.deepEqual(thrown, [])
      assert.ok(refused > INPUTS / 2)
    })
  }
})
