import type { Tensor } from '@tensorflow/tfjs-core'
import type { DataType } from '../../../graph/index.ts'
import type { Tfjs } from '../load-tfjs.ts'
import type { Lowering } from './lowering.ts'

const unary =
  (compute: (tf: Tfjs, x: Tensor) => Tensor): Lowering =>
  (tf, _node, [x]) =>
    compute(tf, x!)

const binary =
  (compute: (tf: Tfjs, a: Tensor, b: Tensor) => Tensor): Lowering =>
  (tf, _node, [a, b]) =>
    compute(tf, a!, b!)

/** The type in which TensorFlow.js holds values of a type that it lacks. */
function castType(dtype: Exclude<DataType, 'bool'>): 'float32' | 'int32' {
  if (dtype === 'uint8') return 'int32'
  return dtype === 'float16' ? 'float32' : dtype
}

export const elementwiseLowerings: Readonly<Record<string, Lowering>> = {
  Add: binary((tf, a, b) => tf.add(a, b)),
  Sub: binary((tf, a, b) => tf.sub(a, b)),
  Mul: binary((tf, a, b) => tf.mul(a, b)),
  Div: binary((tf, a, b) => tf.div(a, b)),
  Less: binary((tf, a, b) => tf.less(a, b)),
  Neg: unary((tf, x) => tf.neg(x)),
  Exp: unary((tf, x) => tf.exp(x)),
  Log: unary((tf, x) => tf.log(x)),
  Sqrt: unary((tf, x) => tf.sqrt(x)),
  Sigmoid: unary((tf, x) => tf.sigmoid(x)),
  Tanh: unary((tf, x) => tf.tanh(x)),
  Erf: unary((tf, x) => tf.erf(x)),
  Where: (tf, _node, [condition, a, b]) => tf.where(condition!, a!, b!),
  // A bool is one byte, in which 0.5 would be 0.
  Cast: (tf, node, [x]) => (node.dtype === 'bool' ? tf.notEqual(x!, 0) : tf.cast(x!, castType(node.dtype)))
}
