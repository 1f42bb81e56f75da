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
  // tf.oneHot refuses a depth of 1, and on the wasm backend it writes bytes into float32.
  OneHot: (tf, node, [indices]) => {
    const places = tf.range(0, numberAttribute(node, 'depth'), 1, 'int32')
    const column = tf.reshape(indices!, [...node.shape.slice(0, -1), 1])
    return tf.cast(tf.equal(column, places), 'float32')
  }
}
