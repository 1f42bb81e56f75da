import type { Tensor } from '../../formats/tensor.ts'

/** Rows and columns copied at a time, so that both sides stay in the processor's cache. */
const TILE = 32

/** A copy of a matrix with its two axes swapped. */
export function transposed({ shape, data }: Tensor): Tensor {
  const [rows, columns] = shape as [number, number]
  const result = new Float32Array(data.length)
  for (let top = 0; top < rows; top += TILE) {
    for (let left = 0; left < columns; left += TILE) {
      const [bottom, right] = [Math.min(rows, top + TILE), Math.min(columns, left + TILE)]
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++)
          result[column * rows + row] = data[row * columns + column]!
      }
    }
  }
  return { shape: [columns, rows], data: result }
}
