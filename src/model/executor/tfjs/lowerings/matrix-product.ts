import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core'
import {
  broadcastShapes,
  elementCount,
  flagAttribute,
  numberAttribute,
  sameShape
} from '../../../graph/index.ts'
import type { Tfjs } from '../load-tfjs.ts'
import type { Lowering } from './lowering.ts'

export const matrixProductLowerings: Readonly<Record<string, Lowering>> = {
  MatMul: (tf, node, [a, b]) => {
    const transposes: Transposes = [flagAttribute(node, 'transposeA'), flagAttribute(node, 'transposeB')]
    const alpha = numberAttribute(node, 'alpha')
    const multiply = tf.getBackend() === 'wasm' ? productOfMatrices : productOfBatches
    const product = tf.reshape(multiply(tf, a!, b!, transposes), [...node.shape])
    return alpha === 1 ? product : tf.mul(product, alpha)
  }
}

type Transposes = readonly [boolean, boolean]

/** The backend's own batched product; it would repeat a shorter batch by counting modulo, which is no broadcast. */
function productOfBatches(tf: Tfjs, a: Tensor, b: Tensor, [transposeA, transposeB]: Transposes): Tensor {
  const batch = batchOf(a, b)
  const spread = (x: Tensor): Tensor =>
    sameShape(x.shape.slice(0, -2), batch) ? x : tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)])
  return tf.matMul(spread(a), spread(b), transposeA, transposeB)
}

/**
 * One product a pair of matrices, transposed beforehand: the wasm backend's fast kernel knows no other, and its general
 * one is ten to thirty times slower.
 */
function productOfMatrices(tf: Tfjs, a: Tensor, b: Tensor, [transposeA, transposeB]: Transposes): Tensor {
  const plain = (x: Tensor2D, transposed: boolean): Tensor2D => (transposed ? tf.transpose(x) : x)
  const right = b.rank === 2 ? plain(b as Tensor2D, transposeB) : undefined
  if (right && !transposeA) return tf.matMul(tf.reshape(a, [-1, a.shape.at(-1)!]), right)
  const batch = batchOf(a, b)
  const matrices = (x: Tensor, transposed: boolean): ((index: number) => Tensor2D) => {
    const size = x.shape.slice(-2) as [number, number]
    const own = x.shape.slice(0, -2)
    const flat = tf.reshape(x, [elementCount(own), size[0] * size[1]])
    const known = new Map<number, Tensor2D>()
    // By tf.gather, as the wasm backend's tf.slice first copies the whole tensor.
    return (index) => {
      const place = placeIn(own, batch, index)
      const taken = (): Tensor2D => tf.reshape(tf.gather(flat, tf.tensor1d([place], 'int32')), size)
      const matrix = known.get(place) ?? plain(taken(), transposed)
      known.set(place, matrix)
      return matrix
    }
  }
  const [left, others] = [matrices(a, transposeA), right ? () => right : matrices(b, transposeB)]
  const products = Array.from({ length: elementCount(batch) }, (_, index) =>
    tf.matMul(left(index), others(index))
  )
  return products.length === 1 ? products[0]! : tf.stack(products)
}

function batchOf(a: Tensor, b: Tensor): number[] {
  return broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2))
}

/** Where, in a batch of shape `own`, the matrix lies that is broadcast to place `index` of a batch of shape `batch`. */
function placeIn(own: readonly number[], batch: readonly number[], index: number): number {
  let place = 0
  let stride = 1
  let rest = index
  for (let axis = 1; axis <= batch.length; axis++) {
    const extent = own.at(-axis) ?? 1
    place += ((rest % batch.at(-axis)!) % extent) * stride * Number(axis <= own.length)
    stride *= axis <= own.length ? extent : 1
    rest = Math.floor(rest / batch.at(-axis)!)
  }
  return place
}
