import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16
} from '../../../../src/formats/elements/half-floats.ts'
import { finiteFloat } from '../../adapter/arbitraries.ts'

const formats = [
  { name: 'binary16', widen: float16ToFloat32, narrow: float32ToFloat16, infinity: 0x7c00 },
  { name: 'bfloat16', widen: bfloat16ToFloat32, narrow: float32ToBfloat16, infinity: 0x7f80 }
]

for (const { name, widen, narrow, infinity } of formats) {
  describe(name, () => {
    it('round-trip through float32 with the same bits, for all 65,536 patterns', () => {
      for (let bits = 0; bits < 0x10000; bits++) {
        const value = widen(bits)
        if ((bits & 0x7fff) > infinity) assert(Number.isNaN(value) && Number.isNaN(widen(narrow(value))))
        else assert.equal(narrow(value), bits)
      }
    })

    it('round to nearest, ties to even', () => {
      fc.assert(
        fc.property(finiteFloat, (value) => {
          const bits = narrow(value)
          const magnitude = bits & 0x7fff
          assert.equal(bits >>> 15, Object.is(value, -0) || value < 0 ? 1 : 0)
          // Half-way points above and below, in float64; beyond the largest number the next step is infinity.
          const step = (index: number) =>
            index === infinity ? 2 * widen(infinity - 1) - widen(infinity - 2) : widen(index)
          const [x, even] = [Math.abs(value), magnitude % 2 === 0]
          if (magnitude < infinity) {
            const above = (step(magnitude) + step(magnitude + 1)) / 2
            assert(even ? x <= above : x < above)
          }
          if (magnitude > 0) {
            const below = (step(magnitude) + step(magnitude - 1)) / 2
            assert(even ? x >= below : x > below)
          }
        }),
        { numRuns: 2000 }
      )
    })
  })
}

it('half floats match known values', () => {
  assert.equal(float32ToFloat16(1), 0x3c00)
  assert.equal(float32ToFloat16(65504), 0x7bff)
  assert.equal(float32ToFloat16(65520), 0x7c00)
  assert.equal(float32ToFloat16(2 ** -25), 0)
  assert.equal(float32ToFloat16(3 * 2 ** -25), 2)
  assert.equal(float32ToBfloat16(1.00390625), 0x3f80)
  assert.equal(float32ToBfloat16(1.01171875), 0x3f82)
})
