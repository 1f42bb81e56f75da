/**
 * A dense float64 matrix in column-major order, since QR and SVD rotate and reflect columns.
 *
 * Everything in this folder adds in one fixed order and calls no rounding function of Math except `Math.sqrt`, which
 * IEEE 754 fixes: the same bits on every machine, since results enter digests.
 */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  /** Element (i, j) at j · rows + i. */
  readonly data: Float64Array
}

/** A matrix of zeros. */
export function zeros(rows: number, columns: number): Matrix {
  return { rows, columns, data: new Float64Array(rows * columns) }
}

/** A row-major float32 array [rows, columns] as a matrix. */
export function fromRowMajor(values: Float32Array, rows: number, columns: number): Matrix {
  const matrix = zeros(rows, columns)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) matrix.data[j * rows + i] = values[i * columns + j]!
  return matrix
}

/** The transpose of a row-major float32 array [rows, columns], as a matrix of `columns` rows. */
export function fromTransposed(values: Float32Array, rows: number, columns: number): Matrix {
  return { rows: columns, columns: rows, data: Float64Array.from(values) }
}

/** The transpose. */
export function transpose({ rows, columns, data }: Matrix): Matrix {
  const turned = zeros(columns, rows)
  for (let j = 0; j < columns; j++)
    for (let i = 0; i < rows; i++) turned.data[i * columns + j] = data[j * rows + i]!
  return turned
}

/** a · b: every element adds k ascending. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  const product = zeros(a.rows, b.columns)
  for (let j = 0; j < b.columns; j++) {
    for (let k = 0; k < a.columns; k++) {
      const factor = b.data[j * b.rows + k]!
      addScaled(product.data, j * a.rows, a.data, k * a.rows, factor, a.rows)
    }
  }
  return product
}

/** target[t …] += factor · source[s …], `length` elements. */
export function addScaled(
  target: Float64Array,
  t: number,
  source: Float64Array,
  s: number,
  factor: number,
  length: number
): void {
  for (let i = 0; i < length; i++) target[t + i] = target[t + i]! + factor * source[s + i]!
}

/** Σ x[a + i] · y[b + i], i ascending. */
export function dot(x: Float64Array, a: number, y: Float64Array, b: number, length: number): number {
  let sum = 0
  for (let i = 0; i < length; i++) sum += x[a + i]! * y[b + i]!
  return sum
}
