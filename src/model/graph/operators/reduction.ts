import { listAttribute } from '../attributes.ts'
import type { GraphNode } from '../graph.ts'
import type { Operator } from '../operator.ts'
import { elementCount, normaliseAxis, sameShape } from '../shape.ts'
import { multiply } from './elementwise.ts'
import { expand, reshape } from './layout.ts'

type ReductionRule = (node: GraphNode, dy: GraphNode) => GraphNode

/** Reductions keep their axes, with extent 1. */
function reduction(name: string, rule: ReductionRule): Operator {
  return {
    name,
    infer: ([x], attributes) => {
      const axes = listAttribute({ attributes }, 'axes')
      return { shape: x!.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent)), dtype: x!.dtype }
    },
    gradient: (node, dy) => [rule(node, dy)],
    onnx: (node, emitter) =>
      emitter.node(name, [emitter.name(node.inputs[0]!), emitter.int64(listAttribute(node, 'axes'))], {
        keepdims: { int: 1 }
      })
  }
}

export const reductionOperators = {
  ReduceSum: reduction('ReduceSum', (node, dy) => expand(dy, node.inputs[0]!.shape)),
  ReduceMean: reduction('ReduceMean', (node, dy) => {
    const x = node.inputs[0]!
    const share = elementCount(node.shape) / elementCount(x.shape)
    return expand(multiply(dy, x.builder.scalar(share)), x.shape)
  })
} satisfies Record<string, Operator>

/** Sum over `axes`, which stay with extent 1. */
export function reduceSum(x: GraphNode, axes: readonly number[]): GraphNode {
  return reduce(x, axes, reductionOperators.ReduceSum)
}

/** Mean over `axes`, which stay with extent 1. */
export function reduceMean(x: GraphNode, axes: readonly number[]): GraphNode {
  return reduce(x, axes, reductionOperators.ReduceMean)
}

/** Sum of all elements, shape []. */
export function sumAll(x: GraphNode): GraphNode {
  return reshape(
    reduceSum(
      x,
      x.shape.map((_, axis) => axis)
    ),
    []
  )
}

/** Undoes a broadcast: sums `x` over the axes along which a value of `shape` was repeated. */
export function sumTo(x: GraphNode, shape: readonly number[]): GraphNode {
  if (sameShape(x.shape, shape)) return x
  const offset = x.shape.length - shape.length
  const axes = x.shape.flatMap((extent, axis) =>
    axis < offset || (shape[axis - offset] === 1 && extent > 1) ? [axis] : []
  )
  return reshape(reduceSum(x, axes), shape)
}

function reduce(x: GraphNode, axes: readonly number[], operator: Operator): GraphNode {
  const sorted = [...new Set(axes.map((axis) => normaliseAxis(axis, x.shape.length)))].sort((a, b) => a - b)
  return sorted.length === 0 ? x : x.builder.apply(operator, [x], { axes: sorted })
}
