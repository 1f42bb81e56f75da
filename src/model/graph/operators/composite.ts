import { flagAttribute, numberAttribute } from '../attributes.ts'
import type { GraphNode } from '../graph.ts'
import type { Operator } from '../operator.ts'
import { add, exponential, multiply, sigmoid, subtract } from './elementwise.ts'
import { reduceSum } from './reduction.ts'

const rotaryOperator: Operator = {
  name: 'RotaryEmbedding',
  infer: ([x, cosines, sines], attributes) => {
    const heads = numberAttribute({ attributes }, 'heads')
    const [, length, width] = x!.shape
    const table = [length, width! / heads / 2]
    for (const { shape } of [cosines!, sines!]) {
      if (`${shape}` !== `${table}`)
        throw new Error(`RotaryEmbedding: angles are [${shape}], wanted [${table}]`)
    }
    return { shape: x!.shape, dtype: 'float32' }
  },
  // A rotation's transpose is the rotation back.
  gradient: (node, dy) => {
    const [, cosines, sines] = node.inputs as [GraphNode, GraphNode, GraphNode]
    const back = !flagAttribute(node, 'back')
    const heads = numberAttribute(node, 'heads')
    return [node.builder.apply(rotaryOperator, [dy, cosines, sines], { heads, back })]
  },
  onnx: (node, emitter) => {
    const [x, cosines, sines] = node.inputs as [GraphNode, GraphNode, GraphNode]
    const [batch, length] = x.shape as [number, number]
    const positions = Array.from({ length: batch * length }, (_, index) => index % length)
    return emitter.node(
      'RotaryEmbedding',
      [
        emitter.name(x),
        emitter.name(cosines),
        flagAttribute(node, 'back') ? emitter.node('Neg', [emitter.name(sines)]) : emitter.name(sines),
        emitter.int64(positions, [batch, length])
      ],
      { num_heads: { int: numberAttribute(node, 'heads') } }
    )
  }
}

export const compositeOperators = {
  Softmax: {
    name: 'Softmax',
    infer: ([x]) => ({ shape: x!.shape, dtype: 'float32' }),
    // dx = y ∘ (dy − Σ dy ∘ y)
    gradient: (node, dy) => [multiply(node, subtract(dy, reduceSum(multiply(dy, node), [-1])))],
    onnx: (node, emitter) => emitter.node('Softmax', [emitter.name(node.inputs[0]!)], { axis: { int: -1 } })
  },
  LogSoftmax: {
    name: 'LogSoftmax',
    infer: ([x]) => ({ shape: x!.shape, dtype: 'float32' }),
    gradient: (node, dy) => [subtract(dy, multiply(exponential(node), reduceSum(dy, [-1])))],
    onnx: (node, emitter) =>
      emitter.node('LogSoftmax', [emitter.name(node.inputs[0]!)], { axis: { int: -1 } })
  },
  Silu: {
    name: 'Silu',
    infer: ([x]) => ({ shape: x!.shape, dtype: 'float32' }),
    // With s = sigmoid(x): dy/dx = s + x s (1 − s) = s (1 + x − y)
    gradient: (node, dy) => {
      const [x] = node.inputs as [GraphNode]
      return [multiply(dy, multiply(sigmoid(x), add(subtract(x, node), x.builder.scalar(1))))]
    },
    decompose: ([x]) => multiply(x!, sigmoid(x!)),
    onnx: (node, emitter) =>
      emitter.node('QuickGelu', [emitter.name(node.inputs[0]!)], { alpha: { float: 1 } }, 'com.microsoft')
  },
  RotaryEmbedding: rotaryOperator
} satisfies Record<string, Operator>

/** Softmax over the last axis. */
export function softmax(x: GraphNode): GraphNode {
  return x.builder.apply(compositeOperators.Softmax, [x])
}

/** log(softmax(x)) over the last axis, stable. */
export function logSoftmax(x: GraphNode): GraphNode {
  return x.builder.apply(compositeOperators.LogSoftmax, [x])
}

/** SiLU: x · sigmoid(x). */
export function silu(x: GraphNode): GraphNode {
  return x.builder.apply(compositeOperators.Silu, [x])
}

/**
 * Rotates each head's halves against each other (RoPE in Hugging Face's half-split layout): for angle θ of position t,
 * (u, v) → (u cos θ − v sin θ, v cos θ + u sin θ).
 *
 * @param x [batch, length, heads · headSize]
 * @param cosines [length, headSize / 2], and `sines` alike
 */
export function rotaryEmbedding(
  x: GraphNode,
  cosines: GraphNode,
  sines: GraphNode,
  heads: number
): GraphNode {
  return x.builder.apply(rotaryOperator, [x, cosines, sines], { heads, back: false })
}

/** Gradients by each source, given the gradient by the value; undefined where `wanted` is false. */
export type GradientRule = (
  outputGradient: GraphNode,
  wanted: readonly boolean[]
) => readonly (GraphNode | undefined)[]

/**
 * `value` with a custom gradient rule in place of the one that its nodes would give, for a formula whose gradient has a
 * cheaper closed form. The gradient flows to `sources` only.
 */
export function withGradient(value: GraphNode, sources: readonly GraphNode[], rule: GradientRule): GraphNode {
  const operator: Operator = {
    name: 'WithGradient',
    infer: () => ({ shape: value.shape, dtype: value.dtype }),
    gradient: (_node, outputGradient, wanted) => [undefined, ...rule(outputGradient, wanted.slice(1))],
    onnx: (_node, emitter) => emitter.name(value)
  }
  return value.builder.applyOnce(operator, [value, ...sources])
}
