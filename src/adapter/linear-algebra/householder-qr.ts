import { addScaled, dot, type Matrix, zeros } from './matrix.ts'

/** Thin factors of a matrix: Q [rows, s] with orthonormal columns, R [s, columns] upper trapezoidal. */
export interface QrFactors {
  readonly Q: Matrix
  readonly R: Matrix
}

/**
 * M = Q·R by Householder reflections, s = min(rows, columns) (Golub & Van Loan, Matrix Computations, algorithm 5.2.1).
 * Elements should be of a magnitude whose square is a float64.
 */
export function householderQr(matrix: Matrix): QrFactors {
  const { rows, columns } = matrix
  const s = Math.min(rows, columns)
  const work = matrix.data.slice()
  const vectors = new Float64Array(rows * s)
  for (let k = 0; k < s; k++) {
    const at = k * rows + k
    const length = rows - k
    const norm = Math.sqrt(dot(work, at, work, at, length))
    if (norm === 0) continue
    // The sign that avoids cancellation: the reflection takes the column to −sign(x₀)·‖x‖·e₀.
    const alpha = work[at]! > 0 ? -norm : norm
    for (let i = 0; i < length; i++) vectors[at + i] = work[at + i]!
    vectors[at] = vectors[at]! - alpha
    reflect(work, rows, columns, vectors, k)
    work[at] = alpha
    for (let i = 1; i < length; i++) work[at + i] = 0
  }
  const R = zeros(s, columns)
  for (let j = 0; j < columns; j++)
    for (let i = 0; i <= Math.min(j, s - 1); i++) R.data[j * s + i] = work[j * rows + i]!
  const Q = zeros(rows, s)
  for (let j = 0; j < s; j++) Q.data[j * rows + j] = 1
  for (let k = s - 1; k >= 0; k--) reflect(Q.data, rows, s, vectors, k)
  return { Q, R }
}

/** Applies the k-th reflection, I − 2·v·vᵀ / vᵀv, to every column. */
function reflect(data: Float64Array, rows: number, columns: number, vectors: Float64Array, k: number): void {
  const at = k * rows + k
  const length = rows - k
  const square = dot(vectors, at, vectors, at, length)
  if (square === 0) return
  for (let j = 0; j < columns; j++) {
    const column = j * rows + k
    const factor = (-2 * dot(vectors, at, data, column, length)) / square
    addScaled(data, column, vectors, at, factor, length)
  }
}
