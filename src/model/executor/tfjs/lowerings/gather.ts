import { elementCount, numberAttribute } from '../../../graph/index.ts'
import type { Lowering } from './lowering.ts'

export const gatherLowerings: Readonly<Record<string, Lowering>> = {
  Gather: (tf, _node, [table, indices]) => tf.gather(table!, tf.cast(indices!, 'int32')),
  // ScatterNd walks its updates in order, on one thread; the wasm backend lacks UnsortedSegmentSum.
  ScatterAddRows: (tf, node, [base, indices, rows]) => {
    const count = indices!.size
    const width = elementCount(node.shape.slice(1))
    const updates = tf.reshape(rows!, [count, width])
    const extent: [number, number] = [node.shape[0]!, width]
    const sums = tf.scatterND(tf.reshape(indices!, [count, 1]), updates, extent)
    return tf.add(base!, tf.reshape(sums, [...node.shape]))
  },
  GatherElements: (tf, node, [x, indices]) => {
    const count = indices!.size
    const width = x!.shape.at(-1)!
    const rows = tf.tensor1d(Int32Array.from({ length: count }, (_, row) => row * width))
    const places = tf.add(tf.reshape(indices!, [count]), rows)
    return tf.reshape(tf.gather(tf.reshape(x!, [count * width]), places), [...node.shape])
  },
  OneHot: (tf, node, [indices]) =>
    tf.oneHot(tf.cast(indices!, 'int32'), numberAttribute(node, 'depth'), 1, 0, 'float32')
}
