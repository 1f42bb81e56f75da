import { listAttribute, numberAttribute } from '../../../graph/index.ts'
import type { Lowering } from './lowering.ts'

export const layoutLowerings: Readonly<Record<string, Lowering>> = {
  Reshape: (tf, node, [x]) => tf.reshape(x!, [...node.shape]),
  Transpose: (tf, node, [x]) => tf.transpose(x!, [...listAttribute(node, 'permutation')]),
  Slice: (tf, node, [x]) => {
    const axis = numberAttribute(node, 'axis')
    const begin = node.shape.map((_, index) => (index === axis ? numberAttribute(node, 'start') : 0))
    return tf.slice(x!, begin, [...node.shape])
  },
  Pad: (tf, node, [x]) => {
    const axis = numberAttribute(node, 'axis')
    const here: [number, number] = [numberAttribute(node, 'before'), numberAttribute(node, 'after')]
    return tf.pad(
      x!,
      node.shape.map((_, index) => (index === axis ? here : [0, 0]))
    )
  },
  Concat: (tf, node, inputs) => tf.concat([...inputs], numberAttribute(node, 'axis')),
  Expand: (tf, node, [x]) => tf.broadcastTo(x!, [...node.shape])
}
