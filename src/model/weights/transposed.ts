import type { Tensor } from '../../formats/tensor.ts'
import type { FileTensor } from './weight-file.ts'

/** Rows and columns copied at a time, so that source and target stay in the processor's cache. */
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

/** The matrix transposed last: modules are read by rows, one after the other. */
export interface LatestMatrix {
  of?: FileTensor
  data?: Float32Array
}

/**
 * A matrix in a file with its two axes swapped. Each of its rows is scattered over the whole matrix in the file, so the
 * one that is being read by rows is held in memory, in `latest`.
 */
export function transposedFileTensor(tensor: FileTensor, latest: LatestMatrix): FileTensor {
  const { name, format } = tensor
  const read = (): Float32Array => transposed({ shape: tensor.shape, data: tensor.read() }).data
  return {
    name,
    format,
    shape: tensor.shape.toReversed(),
    read,
    readInto: (target) => target.set(read()),
    readPieces: (use) => use(read(), 0),
    readRange(target, start) {
      if (latest.of !== tensor) {
        latest.data = read()
        latest.of = tensor
      }
      const part = latest.data!.subarray(start, start + target.length)
      if (part.length < target.length) throw new Error(`${name} ends before element ${start + target.length}`)
      target.set(part)
    }
  }
}
