import { flagAttribute, numberAttribute } from '../../../graph/index.ts'
import type { Lowering } from './lowering.ts'

export const compositeLowerings: Readonly<Record<string, Lowering>> = {
  Softmax: (tf, _node, [x]) => tf.softmax(x!),
  LogSoftmax: (tf, _node, [x]) => {
    const shifted = tf.sub(x!, tf.max(x!, -1, true))
    return tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), -1, true)))
  },
  RotaryEmbedding: (tf, node, [x, cosines, sines]) => {
    const [batch, length, width] = x!.shape as [number, number, number]
    const heads = numberAttribute(node, 'heads')
    const half = width / heads / 2
    // Rows of one head each: the wasm backend slices matrices fast, and what has five axes element by element.
    const rows = batch * length * heads
    const matrix = tf.reshape(x!, [rows, 2 * half])
    const [u, v] = [0, half].map((start) =>
      tf.reshape(tf.slice(matrix, [0, start], [rows, half]), [batch, length, heads, half])
    )
    const cosine = tf.reshape(cosines!, [length, 1, half])
    const sine = tf.reshape(flagAttribute(node, 'back') ? tf.neg(sines!) : sines!, [length, 1, half])
    const halves = [
      tf.sub(tf.mul(u!, cosine), tf.mul(v!, sine)),
      tf.add(tf.mul(v!, cosine), tf.mul(u!, sine))
    ]
    const rotated = tf.concat(
      halves.map((part) => tf.reshape(part, [rows, half])),
      1
    )
    return tf.reshape(rotated, [batch, length, width])
  },
  // Only its gradient is its own.
  WithGradient: (tf, _node, [value]) => tf.clone(value!)
}
