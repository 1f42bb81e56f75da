import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MergeKernel } from '../../../../src/adapter/kernel/merge-kernel.ts'
import { mergeReference } from '../../../../src/adapter/kernel/merge-reference.ts'
import type { WeightData, WeightDtype } from '../../../../src/adapter/kernel/weight-data.ts'
import { float32ToBfloat16, float32ToFloat16 } from '../../../../src/formats/elements/half-floats.ts'
import { finiteFloat, float32Array, ordinaryFloat } from '../arbitraries.ts'

/** Numbers with subnormal products, where a flush to zero or a fused multiply-add would be visible. */
const tinyFloat = fc.float({ min: Math.fround(-(2 ** -60)), max: Math.fround(2 ** -60), noNaN: true })
const zeros = fc.constantFrom(0, -0)

/** One kernel for all runs: leftovers of one factor in its memory must not affect the next. */
const kernel = new MergeKernel()

const NARROW = { f32: (value: number) => value, f16: float32ToFloat16, bf16: float32ToBfloat16 }

function weightOf(values: Float32Array, dtype: WeightDtype): WeightData {
  return dtype === 'f32' ? values : Uint16Array.from(values, NARROW[dtype])
}

/** Bits, with all NaNs equal: the NaN of an overflow depends on the processor, and the round is void then. */
function comparable(values: WeightData): WeightData {
  if (values instanceof Uint16Array) return values
  const canonical = values.map((value) => (Number.isNaN(value) ? Number.NaN : value))
  const bits = new Uint32Array(canonical.buffer)
  for (let i = 0; i < bits.length; i++) if (Number.isNaN(values[i]!)) bits[i] = 0x7fc00000
  return bits as unknown as WeightData
}

const problem = (element: fc.Arbitrary<number>, size: number) =>
  fc
    .record({
      rows: fc.integer({ min: 1, max: size }),
      columns: fc.integer({ min: 1, max: size }),
      rank: fc.integer({ min: 1, max: size })
    })
    .chain(({ rows, columns, rank }) =>
      fc.record({
        columns: fc.constant(columns),
        rank: fc.constant(rank),
        weight: float32Array(rows * columns, element),
        A: float32Array(rank * columns, element),
        B: float32Array(rows * rank, element),
        cut: fc.integer({ min: 0, max: rows })
      })
    )

describe('the merge kernel', () => {
  for (const [name, element] of Object.entries({
    ordinary: ordinaryFloat,
    finite: finiteFloat,
    tiny: tinyFloat,
    'signed zero': zeros
  })) {
    it(`matches the reference bit for bit on ${name} values, however they are divided`, () => {
      fc.assert(
        fc.property(problem(element, 21), ({ weight, A, B, rank, columns, cut }) => {
          const expected = comparable(mergeReference(weight, B, A, rank))
          const merged = new Float32Array(weight.length)
          kernel.load(A, rank, columns)
          const at = cut * columns
          kernel.addRows(weight.subarray(at), merged.subarray(at), B.subarray(cut * rank))
          kernel.addRows(weight.subarray(0, at), merged.subarray(0, at), B.subarray(0, cut * rank))
          assert.deepEqual(comparable(merged), expected)
          kernel.addRows(weight, weight, B)
          assert.deepEqual(comparable(weight), expected)
        }),
        { numRuns: 150 }
      )
    })
  }

  for (const dtype of ['f16', 'bf16'] as const) {
    it(`adds to ${dtype} in float32 and rounds once`, () => {
      fc.assert(
        fc.property(problem(ordinaryFloat, 13), ({ weight, A, B, rank, columns }) => {
          const narrow = weightOf(weight, dtype)
          const expected = mergeReference(narrow, B, A, rank, dtype)
          kernel.load(A, rank, columns)
          kernel.addRows(narrow, narrow, B, dtype)
          assert.deepEqual(narrow, expected)
        }),
        { numRuns: 150 }
      )
    })

    it(`reads and rounds every ${dtype} value as the scalar conversion does`, () => {
      const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits)
      // Added to every one: nothing, halves of the last place up and down (ties), and what overflows.
      for (const added of [0, 2 ** -25, -(2 ** -25), 2 ** -12, 0.5, -1, 16, 65504, 3e38]) {
        const A = new Float32Array(256).fill(added)
        const B = new Float32Array(256).fill(1)
        const merged = all.slice()
        kernel.load(A, 1, 256)
        kernel.addRows(all, merged, B, dtype)
        const expected = mergeReference(all, B, A, 1, dtype)
        for (let i = 0; i < all.length; i++) {
          const notANumber = (expected[i]! & 0x7fff) > (dtype === 'f16' ? 0x7c00 : 0x7f80)
          if (notANumber) assert((merged[i]! & 0x7fff) > (dtype === 'f16' ? 0x7c00 : 0x7f80))
          else assert.equal(merged[i], expected[i], `${i} + ${added}`)
        }
      }
    })
  }

  it('handles shapes beyond its blocks: many rows, wide rows, a rank above both', () => {
    const values = (length: number, seed: number) =>
      Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(seed + i) / (1 + (i % 7))))
    for (const [rows, columns, rank] of [
      [257, 40, 3],
      [6, 9000, 2],
      [9, 256, 700]
    ] as const) {
      const [weight, A, B] = [values(rows * columns, 1), values(rank * columns, 2), values(rows * rank, 3)]
      const merged = new Float32Array(weight.length)
      kernel.load(A, rank, columns)
      kernel.addRows(weight, merged, B)
      assert(Buffer.from(merged.buffer).equals(Buffer.from(mergeReference(weight, B, A, rank).buffer)))
    }
  })

  it('refuses a B of the wrong size, and a factor larger than any memory', () => {
    kernel.load(new Float32Array(6), 2, 3)
    const rows = new Float32Array(9)
    assert.throws(() => kernel.addRows(rows, rows, new Float32Array(4)), /do not fit/)
    assert.throws(() => kernel.load(new Float32Array(0), 2 ** 20, 2 ** 20), /more than is available/)
    kernel.load(new Float32Array(6), 2, 3)
    kernel.addRows(rows, rows, new Float32Array(6))
  })
})
