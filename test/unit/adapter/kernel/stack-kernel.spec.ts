import assert from 'node:assert/strict'
import fc from 'fast-check'
import { StackKernel } from '../../../../src/adapter/kernel/stack-kernel.ts'
import { allFinite } from '../../../../src/adapter/pair/check-adapter.ts'
import { bitsOf, finiteFloat, float32Array } from '../arbitraries.ts'

const kernel = new StackKernel()

describe('the stack kernel', () => {
  it('multiplies as float32 does, and detects non-finite values', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }).chain((length) => float32Array(length, finiteFloat)),
        finiteFloat,
        (source, factor) => {
          const target = new Float32Array(source.length)
          const expected = source.map((value) => Math.fround(factor * value))
          assert.equal(kernel.scale(source, target, factor), allFinite(expected))
          assert.deepEqual(bitsOf(target), bitsOf(expected))
        }
      )
    )
  })

  it('concatenates matrices bit for bit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }).chain((rows) =>
          fc.tuple(
            fc.constant(rows),
            fc.array(
              fc.integer({ min: 1, max: 9 }).chain((width) => float32Array(rows * width, finiteFloat)),
              { minLength: 1, maxLength: 4 }
            )
          )
        ),
        ([rows, parts]) => {
          const target = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
          assert(kernel.join(parts, rows, target))
          const expected = Array.from({ length: rows }, (_, row) =>
            parts.flatMap((part) => [
              ...part.subarray((row * part.length) / rows, ((row + 1) * part.length) / rows)
            ])
          )
          assert.deepEqual(bitsOf(target), bitsOf(Float32Array.from(expected.flat())))
        }
      )
    )
  })

  it('handles input larger than its blocks, and finds one bad element anywhere', () => {
    for (const [rows, widths] of [
      [3000, [5, 8, 1]],
      [2, [9000, 13]]
    ] as const) {
      const parts = widths.map((width) => Float32Array.from({ length: rows * width }, (_, i) => i % 1009))
      const target = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
      assert(kernel.join(parts, rows, target))
      const total = target.length / rows
      let column = 0
      for (const part of parts) {
        const width = part.length / rows
        for (let row = 0; row < rows; row += 7) assert.equal(target[row * total + column], part[row * width])
        part[part.length - 1] = Number.NaN
        assert(!kernel.join(parts, rows, target))
        assert(!kernel.scale(part, part.slice(), 1))
        part[part.length - 1] = 1
        column += width
      }
    }
  })

  it('accepts finite elements whose sum overflows', () => {
    for (const length of [3, 64, 161]) {
      const largest = new Float32Array(length).fill(3.4e38)
      const target = new Float32Array(length)
      assert(kernel.scale(largest, target, 1))
      assert(kernel.join([largest], 1, target))
      assert.deepEqual(bitsOf(target), bitsOf(largest))
      for (const bad of [Number.NEGATIVE_INFINITY, Number.NaN]) {
        largest[length - 1] = bad
        assert(!kernel.scale(largest, target, 1))
        assert(!kernel.join([largest], 1, target))
        assert(!kernel.join([largest], length, target))
      }
    }
  })
})
