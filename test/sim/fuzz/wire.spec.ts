import assert from 'node:assert/strict'
import { fuzz } from '../../../sim/fuzz/fuzz.ts'
import { wireTargets } from '../../../sim/fuzz/targets.ts'

/** Inputs per kind in the short form; the long one is `npm run fuzz -- --inputs 1000000`. */
const INPUTS = 1_500

describe('the wire decoders', function () {
  this.timeout(120_000)
  for (const target of wireTargets()) {
    it(`${target.kind}: decodes intact input, and refuses or decodes damaged input without any other error`, () => {
      for (const sample of target.samples) target.read(sample)
      const { thrown, refused } = fuzz(target, INPUTS, 1)
      assert.deepEqual(thrown, [])
      assert.ok(refused > INPUTS / 2)
    })
  }
})
