import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodeElements, encodeElements, rangeFault } from '../../../../src/formats/index.ts'

describe('the range of an element format', () => {
  it('ends exactly where an encoded value decodes to a non-finite one', () => {
    const value = fc.oneof(
      fc.float(),
      fc.constantFrom(65_504, 65_519.99, 65_520, -65_520, 3.3895e38, 3.3961e38, -3.3961e38)
    )
    for (const format of ['F32', 'F16', 'BF16'] as const)
      fc.assert(
        fc.property(value, (element) => {
          const data = Float32Array.of(1, element)
          const [, back] = decodeElements(encodeElements(data, format), format)
          assert.equal(rangeFault(data, format) === undefined, Number.isFinite(back), `${format} ${element}`)
        })
      )
    assert.equal(
      rangeFault(Float32Array.of(0, 7e4), 'F16'),
      'contains 70000, which is out of the range of float16'
    )
    assert.equal(rangeFault(Float32Array.of(Number.NaN), 'F32'), 'contains NaN')
  })
})
