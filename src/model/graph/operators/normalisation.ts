import { numberAttribute } from '../attributes.ts'
import type { GraphNode } from '../graph.ts'
import type { OnnxEmitter, Operator } from '../operator.ts'
import { sameShape } from '../shape.ts'
import { add, divide, multiply, squareRoot, subtract } from './elementwise.ts'
import { reduceMean, sumTo } from './reduction.ts'

/** The one ONNX node that computes both operators below. */
function onnxNames(node: GraphNode, emitter: OnnxEmitter): readonly string[] {
  return emitter.outputs(
    'SimplifiedLayerNormalization',
    node.inputs.map((input) => emitter.name(input)),
    2,
    { axis: { int: -1 }, epsilon: { float: numberAttribute(node, 'epsilon') } }
  )
}

function checkInputs([x, weight]: readonly GraphNode[]): void {
  if (!sameShape(weight!.shape, x!.shape.slice(-1)))
    throw new Error(`RmsNorm: weights [${weight!.shape}] for [${x!.shape}]`)
}

export const normalisationOperators = {
  RmsNorm: {
    name: 'RmsNorm',
    infer: (inputs) => {
      checkInputs(inputs)
      return { shape: inputs[0]!.shape, dtype: 'float32' }
    },
    // With i = 1 / rms: dx = i (w ∘ dy) − i² mean(dy ∘ y) x.
    gradient: (node, dy, wanted) => {
      const [x, weight] = node.inputs as [GraphNode, GraphNode]
      const inverse = node.builder.apply(normalisationOperators.InverseRms, node.inputs, node.attributes)
      const dx = (): GraphNode => {
        const along = multiply(reduceMean(multiply(dy, node), [-1]), multiply(inverse, inverse))
        return subtract(multiply(multiply(dy, weight), inverse), multiply(x, along))
      }
      const dw = (): GraphNode => sumTo(multiply(dy, multiply(x, inverse)), weight.shape)
      return [wanted[0] ? dx() : undefined, wanted[1] ? dw() : undefined]
    },
    decompose: ([x, weight], attributes) =>
      multiply(multiply(x!, inverseRootMeanSquare(x!, numberAttribute({ attributes }, 'epsilon'))), weight!),
    onnx: (node, emitter) => onnxNames(node, emitter)[0]!
  },
  InverseRms: {
    name: 'InverseRms',
    infer: (inputs) => {
      checkInputs(inputs)
      return { shape: [...inputs[0]!.shape.slice(0, -1), 1], dtype: 'float32' }
    },
    // di/dx = −i³ x / width
    gradient: (node, di) => {
      const [x] = node.inputs as [GraphNode, GraphNode]
      const cube = multiply(node, multiply(node, node))
      return [multiply(x, multiply(multiply(di, cube), x.builder.scalar(-1 / x.shape.at(-1)!))), undefined]
    },
    decompose: ([x], attributes) => inverseRootMeanSquare(x!, numberAttribute({ attributes }, 'epsilon')),
    onnx: (node, emitter) => onnxNames(node, emitter)[1]!
  }
} satisfies Record<string, Operator>

/**
 * RMSNorm: w ∘ x / √(mean(x²) + ε), over the last axis.
 *
 * @param x [..., width]
 * @param weight w [width]
 */
export function rootMeanSquareNorm(x: GraphNode, weight: GraphNode, epsilon: number): GraphNode {
  return x.builder.apply(normalisationOperators.RmsNorm, [x, weight], { epsilon })
}

/**
 * 1 / √(mean(x²) + ε) of every row, [..., 1]. An executor that normalises `x` with the same `weight` has it already.
 */
export function inverseRms(x: GraphNode, weight: GraphNode, epsilon: number): GraphNode {
  return x.builder.apply(normalisationOperators.InverseRms, [x, weight], { epsilon })
}

function inverseRootMeanSquare(x: GraphNode, epsilon: number): GraphNode {
  const { builder } = x
  const meanSquare = reduceMean(multiply(x, x), [-1])
  return divide(builder.scalar(1), squareRoot(add(meanSquare, builder.scalar(epsilon))))
}
