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
    const rotated = tf.reshape(x!, [batch, length, heads, 2, half])
    const [u, v] = [0, 1].map((part) =>
      tf.slice(rotated, [0, 0, 0, part, 0], [batch, length, heads, 1, half])
    )
    const cosine = tf.reshape(cosines!, [length, 1, 1, half])
    const sine = tf.reshape(flagAttribute(node, 'back') ? tf.neg(sines!) : sines!, [length, 1, 1, half])
    const first = tf.sub(tf.mul(u!, cosine), tf.mul(v!, sine))
    const second = tf.add(tf.mul(v!, cosine), tf.mul(u!, sine))
    return tf.reshape(tf.concat([first, second], 3), [batch, length, width])
  },
  // Only its gradient is its own.
  WithGradient: (tf, _node, [value]) => tf.clone(value!)
}
