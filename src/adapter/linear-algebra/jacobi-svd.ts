import { householderQr } from './householder-qr.ts'
import { dot, type Matrix, multiply, transpose, zeros } from './matrix.ts'

/** M = U·diag(sigma)·Vᵀ with s = min(rows, columns). */
export interface Svd {
  /** [rows, s]; orthonormal columns, except that a column whose singular value is 0 may be 0. */
  readonly U: Matrix
  /** Descending, none negative. */
  readonly sigma: Float64Array
  /** [columns, s]; as U. */
  readonly V: Matrix
}

const SWEEPS_MAX = 60
/** Columns count as orthogonal when the cosine between them is at most this: a few roundings of float64. */
const ORTHOGONAL = 2 ** -50

/** Singular value decomposition by one-sided Jacobi rotations (Golub & Van Loan, section 8.6.3) after a QR. */
export function jacobiSvd(matrix: Matrix): Svd {
  if (matrix.rows < matrix.columns) {
    const { U, sigma, V } = jacobiSvd(transpose(matrix))
    return { U: V, sigma, V: U }
  }
  const { Q, R } = householderQr(matrix)
  // The columns of Rᵀ are closer to orthogonal already, which saves sweeps: M = Q·R = Q·(U'·Σ·V'ᵀ)ᵀ.
  const turned = transpose(R)
  const { rotated, rotations } = rotateUntilOrthogonal(turned)
  const { left, sigma, right } = sortedFactors(rotated, rotations)
  return { U: multiply(Q, right), sigma, V: left }
}

/** Rotates pairs of columns until all are orthogonal: rotated = matrix · rotations. */
function rotateUntilOrthogonal(matrix: Matrix): { rotated: Matrix; rotations: Matrix } {
  const n = matrix.columns
  const rotated = { ...matrix, data: matrix.data.slice() }
  const rotations = zeros(n, n)
  for (let j = 0; j < n; j++) rotations.data[j * n + j] = 1
  const squares = columnSquares(rotated)
  for (let sweep = 0, turned = true; turned && sweep < SWEEPS_MAX; sweep++) {
    turned = false
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        const angle = rotationOf(squares[p]!, squares[q]!, dotOfColumns(rotated, p, q))
        if (angle === undefined) continue
        turned = true
        rotate(rotated, p, q, angle, squares)
        rotate(rotations, p, q, angle)
      }
    }
  }
  return { rotated, rotations }
}

interface Rotation {
  readonly cosine: number
  readonly sine: number
}

/** Σ x² of every column, kept up to date since each rotation changes only two of them. */
function columnSquares({ rows, columns, data }: Matrix): Float64Array {
  return Float64Array.from({ length: columns }, (_, j) => dot(data, j * rows, data, j * rows, rows))
}

function dotOfColumns({ rows, data }: Matrix, p: number, q: number): number {
  return dot(data, p * rows, data, q * rows, rows)
}

/**
 * The rotation that makes columns p and q orthogonal, or undefined if they already are.
 *
 * @param pp Σ x² of column p
 * @param qq Σ x² of column q
 * @param pq their inner product
 */
function rotationOf(pp: number, qq: number, pq: number): Rotation | undefined {
  if (pq === 0 || Math.abs(pq) <= ORTHOGONAL * Math.sqrt(pp) * Math.sqrt(qq)) return undefined
  const zeta = (qq - pp) / (2 * pq)
  const size = Math.abs(zeta)
  // Beyond 2^27 the root is the number itself, and the square may overflow.
  const tangent = (zeta < 0 ? -1 : 1) / (size + (size > 2 ** 27 ? size : Math.sqrt(1 + size * size)))
  const cosine = 1 / Math.sqrt(1 + tangent * tangent)
  return { cosine, sine: cosine * tangent }
}

/** @param squares receives the new Σ x² of both columns, if given */
function rotate(
  { rows, data }: Matrix,
  p: number,
  q: number,
  { cosine, sine }: Rotation,
  squares?: Float64Array
): void {
  const [atP, atQ] = [p * rows, q * rows]
  let pp = 0
  let qq = 0
  for (let i = 0; i < rows; i++) {
    const x = data[atP + i]!
    const y = data[atQ + i]!
    const turnedX = cosine * x - sine * y
    const turnedY = sine * x + cosine * y
    data[atP + i] = turnedX
    data[atQ + i] = turnedY
    pp += turnedX * turnedX
    qq += turnedY * turnedY
  }
  if (squares === undefined) return
  squares[p] = pp
  squares[q] = qq
}

/** Normalises orthogonal columns and returns their lengths, longest first; equal ones keep their order. */
function sortedFactors(
  rotated: Matrix,
  rotations: Matrix
): { left: Matrix; sigma: Float64Array; right: Matrix } {
  const { rows, columns, data } = rotated
  const lengths = Float64Array.from({ length: columns }, (_, j) =>
    Math.sqrt(dot(data, j * rows, data, j * rows, rows))
  )
  const order = [...lengths.keys()].sort((a, b) => lengths[b]! - lengths[a]! || a - b)
  const left = zeros(rows, columns)
  const right = zeros(rotations.rows, columns)
  for (const [to, from] of order.entries()) {
    const length = lengths[from]!
    if (length > 0) for (let i = 0; i < rows; i++) left.data[to * rows + i] = data[from * rows + i]! / length
    for (let i = 0; i < rotations.rows; i++)
      right.data[to * rotations.rows + i] = rotations.data[from * rotations.rows + i]!
  }
  return { left, sigma: Float64Array.from(order, (from) => lengths[from]!), right }
}
