import type { Tensor } from '../../formats/tensor.ts'
import { householderQr } from '../linear-algebra/householder-qr.ts'
import { jacobiSvd, type Svd } from '../linear-algebra/jacobi-svd.ts'
import { dot, type Matrix, multiply, transpose, zeros } from '../linear-algebra/matrix.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import type { LoraPair } from '../pair/lora-adapter.ts'
import { pairFromSvd } from './product-svd.ts'

/** Columns beyond the rank that make the range's estimate good (Halko et al., section 4.2: 5 to 10). */
const OVERSAMPLING = 8
/** Passes over the matrix and its transpose; each squares the decay of the singular values. */
const POWER_PASSES = 2

/** A pair near a change of weights. */
export interface NearestPair {
  /** Scale 1. */
  readonly pair: LoraPair
  /** ‖ΔW‖² and ‖ΔW − B·A‖². */
  readonly whole: number
  readonly lost: number
}

/**
 * The pair of a rank that is nearest to a change of weights, or close to it: an SVD restricted to the range that a few
 * passes over ΔW find (Halko, Martinsson, Tropp 2011, algorithm 4.4). Fixed order and a fixed start: equal changes give
 * equal pairs.
 *
 * @param before weights, [out, in]; ΔW is what `after` adds to them
 * @param maxRank a rank above min(out, in) is taken as that
 * @throws {AdapterError} when the shapes differ
 */
export function nearestPair(module: string, before: Tensor, after: Tensor, maxRank: number): NearestPair {
  const [rows, columns] = after.shape as [number, number]
  if (before.shape.join() !== after.shape.join())
    throw new AdapterError(`${module} was [${before.shape.join(', ')}] and is [${after.shape.join(', ')}]`)
  const change = changeOf(before.data, after.data, rows, columns)
  const rank = Math.min(maxRank, rows, columns)
  const width = Math.min(rank + OVERSAMPLING, rows, columns)
  const svd = width === Math.min(rows, columns) ? jacobiSvd(change) : rangeSvd(change, width)
  const whole = dot(change.data, 0, change.data, 0, change.data.length)
  const kept = svd.sigma.subarray(0, rank).reduce((sum, value) => sum + value * value, 0)
  return { pair: pairFromSvd(module, svd, rank), whole, lost: Math.max(0, whole - kept) }
}

function changeOf(before: Float32Array, after: Float32Array, rows: number, columns: number): Matrix {
  const change = zeros(rows, columns)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const at = i * columns + j
      change.data[j * rows + i] = after[at]! - before[at]!
    }
  return change
}

/** The SVD of what of a matrix lies in a range of the given width. */
function rangeSvd(matrix: Matrix, width: number): Svd {
  const turned = transpose(matrix)
  let { Q } = householderQr(multiply(matrix, spread(matrix.columns, width)))
  for (let pass = 0; pass < POWER_PASSES; pass++) {
    const other = householderQr(multiply(turned, Q))
    Q = householderQr(multiply(matrix, other.Q)).Q
  }
  // Qᵀ·M is wide; its transpose is tall.
  const right = householderQr(multiply(turned, Q))
  const { U, sigma, V } = jacobiSvd(transpose(right.R))
  return { U: multiply(Q, U), sigma, V: multiply(right.Q, V) }
}

/** Numbers in [−1, 1) without a pattern: a linear congruential generator (Numerical Recipes, section 7.1). */
function spread(rows: number, columns: number): Matrix {
  const matrix = zeros(rows, columns)
  let state = 1
  for (let index = 0; index < matrix.data.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    matrix.data[index] = state / 2 ** 31 - 1
  }
  return matrix
}
