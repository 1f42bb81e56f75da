import type { FileTensor } from './weight-file.ts'

/**
 * Wraps a tensor of a file so that reading it fails if not all of its elements are finite.
 *
 * @param path of its file, for the message
 */
export function finiteTensor(tensor: FileTensor, path: string): FileTensor {
  const check = (elements: Float32Array, start: number): void => {
    for (let index = 0; index < elements.length; index++) {
      const element = elements[index]!
      // Infinity minus itself is NaN.
      if (element - element === 0) continue
      throw new Error(
        `${path}: ${tensor.name} contains ${element} at element ${start + index}: the weights are damaged, or overflowed when they were saved`
      )
    }
  }
  const readInto = (target: Float32Array): void => {
    tensor.readInto(target)
    check(target, 0)
  }
  return {
    name: tensor.name,
    shape: tensor.shape,
    format: tensor.format,
    readInto,
    read() {
      const data = tensor.read()
      check(data, 0)
      return data
    },
    readPieces: (use) =>
      tensor.readPieces((piece, start) => {
        check(piece, start)
        use(piece, start)
      }),
    readRange(target, start) {
      tensor.readRange(target, start)
      check(target, start)
    }
  }
}
