import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { householderQr } from '../../../../src/adapter/linear-algebra/householder-qr.ts'
import { jacobiSvd } from '../../../../src/adapter/linear-algebra/jacobi-svd.ts'
import { dot, type Matrix, multiply, transpose } from '../../../../src/adapter/linear-algebra/matrix.ts'
import { pairFromSvd, productSvd, tailEnergy } from '../../../../src/adapter/low-rank/product-svd.ts'
import { packageRoot } from '../../../../src/package-root.ts'
import { oneElementPair, ordinaryFloat, pairOf } from '../arbitraries.ts'

/** Any shape, with columns that repeat and zeros, so that ranks fall short. */
const anyMatrix: fc.Arbitrary<Matrix> = fc
  .record({
    rows: fc.integer({ min: 1, max: 12 }),
    columns: fc.integer({ min: 1, max: 12 }),
    exponent: fc.integer({ min: -30, max: 30 })
  })
  .chain(({ rows, columns, exponent }) => {
    const column = fc.array(fc.oneof(ordinaryFloat, fc.constant(0)), { minLength: rows, maxLength: rows })
    return fc
      .array(column, { minLength: 1, maxLength: columns })
      .chain((some) => fc.array(fc.constantFrom(...some), { minLength: columns, maxLength: columns }))
      .map((all) => ({ rows, columns, data: Float64Array.from(all.flat(), (x) => x * 2 ** exponent) }))
  })

const norm = ({ data }: Matrix) => Math.sqrt(dot(data, 0, data, 0, data.length))

function difference(a: Matrix, b: Matrix): number {
  assert.deepEqual([a.rows, a.columns], [b.rows, b.columns])
  return norm({ ...a, data: a.data.map((value, i) => value - b.data[i]!) })
}

/** ‖QᵀQ − I‖, the first `count` columns only. */
function skewness(Q: Matrix, count = Q.columns): number {
  const gram = multiply(transpose(Q), Q)
  let worst = 0
  for (let i = 0; i < count; i++)
    for (let j = 0; j < count; j++)
      worst = Math.max(worst, Math.abs(gram.data[j * gram.rows + i]! - (i === j ? 1 : 0)))
  return worst
}

describe('QR', () => {
  it('reconstructs the matrix, with orthonormal Q and upper triangular R', () => {
    fc.assert(
      fc.property(anyMatrix, (matrix) => {
        const { Q, R } = householderQr(matrix)
        assert(difference(multiply(Q, R), matrix) <= 1e-13 * norm(matrix))
        assert(skewness(Q) <= 1e-13)
        for (let j = 0; j < R.columns; j++)
          for (let i = j + 1; i < R.rows; i++) assert.equal(R.data[j * R.rows + i], 0)
      }),
      { numRuns: 300 }
    )
  })
})

/** Smallest positive float32. */
const LAST_PLACE = 2 ** -149

describe('SVD', () => {
  it('reconstructs the matrix, with orthonormal factors and descending singular values', () => {
    fc.assert(
      fc.property(anyMatrix, (matrix) => {
        const { U, sigma, V } = jacobiSvd(matrix)
        const scaled = { ...U, data: U.data.map((value, i) => value * sigma[Math.floor(i / U.rows)]!) }
        assert(difference(multiply(scaled, transpose(V)), matrix) <= 1e-12 * norm(matrix))
        const rank = sigma.filter((value) => value > 1e-10 * sigma[0]!).length
        assert(skewness(U, rank) <= 1e-12 && skewness(V, rank) <= 1e-12)
        assert(sigma.every((value, k) => value >= 0 && (k === 0 || value <= sigma[k - 1]!)))
      }),
      { numRuns: 300 }
    )
  })

  it('recovers the singular values of a constructed matrix', () => {
    const made = { rows: 3, columns: 2, data: Float64Array.of(0, 4, 0, 3, 0, 0) }
    assert.deepEqual([...jacobiSvd(made).sigma], [4, 3])
    assert.deepEqual([...jacobiSvd({ rows: 2, columns: 2, data: new Float64Array(4) }).sigma], [0, 0])
  })

  const subnormalPair = {
    ...oneElementPair(-LAST_PLACE),
    alpha: 5,
    B: Float32Array.of(-2 * LAST_PLACE)
  }

  it('of a product equals that of the multiplied matrix, and truncation loses the dropped part', () => {
    const pairs = fc
      .record({
        module: fc.constant('m'),
        inFeatures: fc.integer({ min: 1, max: 9 }),
        outFeatures: fc.integer({ min: 1, max: 9 })
      })
      .chain((shape) => pairOf(shape, ordinaryFloat))
    fc.assert(
      fc.property(pairs, fc.integer({ min: 1, max: 7 }), (pair, rank) => {
        const dense = denseOf(pair)
        const svd = productSvd(pair)
        const direct = jacobiSvd(dense).sigma
        const scale =
          norm({ ...dense, data: Float64Array.from(pair.A) }) *
          norm({ ...dense, data: Float64Array.from(pair.B) })
        for (const [k, value] of direct.entries())
          assert(Math.abs(value - (svd.sigma[k] ?? 0)) <= 1e-12 * scale)
        const error = difference(denseOf(pairFromSvd('m', svd, rank)), dense)
        const dropped = Math.sqrt(tailEnergy(svd.sigma, rank))
        // Below float32's normal numbers a factor is rounded to its last place, not to a share of itself.
        const underflow = LAST_PLACE * (Math.sqrt(scale) + LAST_PLACE) * pair.rank * dense.data.length
        assert(Math.abs(error - dropped) <= 3e-7 * scale + underflow)
      }),
      { examples: [[subnormalPair, 1]] }
    )
  })

  it('is reproducible bit for bit, and uses no rounding function of Math but the square root', () => {
    const matrix = { rows: 20, columns: 15, data: Float64Array.from({ length: 300 }, (_, i) => (i * i) % 17) }
    assert.deepEqual(jacobiSvd(matrix), jacobiSvd({ ...matrix, data: matrix.data.slice() }))
    const folder = join(packageRoot(), 'src', 'adapter', 'linear-algebra')
    const used = readdirSync(folder).flatMap((name) =>
      [...readFileSync(join(folder, name), 'utf8').matchAll(/Math\.(\w+)|\w \*\* [a-z]/g)].map(([, fn]) => fn)
    )
    assert.deepEqual([...new Set(used)].sort(), ['abs', 'min', 'sqrt'])
  })
})

function denseOf({ A, B, rank, inFeatures, outFeatures }: Parameters<typeof productSvd>[0]): Matrix {
  const dense = { rows: outFeatures, columns: inFeatures, data: new Float64Array(outFeatures * inFeatures) }
  for (let i = 0; i < outFeatures; i++)
    for (let j = 0; j < inFeatures; j++)
      for (let k = 0; k < rank; k++)
        dense.data[j * outFeatures + i]! += B[i * rank + k]! * A[k * inFeatures + j]!
  return dense
}
