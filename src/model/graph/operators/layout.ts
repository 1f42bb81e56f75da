import { listAttribute, numberAttribute } from '../attributes.ts'
import type { GraphNode } from '../graph.ts'
import type { Operator } from '../operator.ts'
import { broadcastShapes, elementCount, normaliseAxis, sameShape } from '../shape.ts'
import { sumTo } from './reduction.ts'

export const layoutOperators = {
  Reshape: {
    name: 'Reshape',
    infer: ([x], attributes) => {
      const shape = listAttribute({ attributes }, 'shape')
      if (elementCount(shape) !== elementCount(x!.shape))
        throw new Error(`Reshape: [${x!.shape}] into [${shape}]`)
      return { shape, dtype: x!.dtype }
    },
    gradient: (node, dy) => [reshape(dy, node.inputs[0]!.shape)],
    onnx: (node, emitter) =>
      emitter.node('Reshape', [emitter.name(node.inputs[0]!), emitter.int64(node.shape)])
  },
  Transpose: {
    name: 'Transpose',
    infer: ([x], attributes) => ({
      shape: listAttribute({ attributes }, 'permutation').map((axis) => x!.shape[axis]!),
      dtype: x!.dtype
    }),
    gradient: (node, dy) => {
      const permutation = listAttribute(node, 'permutation')
      return [
        transpose(
          dy,
          permutation.map((_, axis) => permutation.indexOf(axis))
        )
      ]
    },
    onnx: (node, emitter) =>
      emitter.node('Transpose', [emitter.name(node.inputs[0]!)], {
        perm: { ints: listAttribute(node, 'permutation') }
      })
  },
  Slice: {
    name: 'Slice',
    infer: ([x], attributes) => {
      const [axis, start, end] = ['axis', 'start', 'end'].map((name) => numberAttribute({ attributes }, name))
      return {
        shape: x!.shape.map((extent, index) => (index === axis ? end! - start! : extent)),
        dtype: x!.dtype
      }
    },
    gradient: (node, dy) => {
      const axis = numberAttribute(node, 'axis')
      const after = node.inputs[0]!.shape[axis]! - numberAttribute(node, 'end')
      return [pad(dy, axis, numberAttribute(node, 'start'), after)]
    },
    onnx: (node, emitter) =>
      emitter.node('Slice', [
        emitter.name(node.inputs[0]!),
        ...['start', 'end', 'axis'].map((name) => emitter.int64([numberAttribute(node, name)]))
      ])
  },
  Pad: {
    name: 'Pad',
    infer: ([x], attributes) => {
      const [axis, before, after] = ['axis', 'before', 'after'].map((name) =>
        numberAttribute({ attributes }, name)
      )
      return {
        shape: x!.shape.map((extent, index) => (index === axis ? before! + extent + after! : extent)),
        dtype: x!.dtype
      }
    },
    gradient: (node, dy) => {
      const axis = numberAttribute(node, 'axis')
      const start = numberAttribute(node, 'before')
      return [slice(dy, axis, start, start + node.inputs[0]!.shape[axis]!)]
    },
    onnx: (node, emitter) => {
      const at = (name: string): number[] =>
        node.shape.map((_, axis) =>
          axis === numberAttribute(node, 'axis') ? numberAttribute(node, name) : 0
        )
      return emitter.node('Pad', [
        emitter.name(node.inputs[0]!),
        emitter.int64([...at('before'), ...at('after')])
      ])
    }
  },
  Concat: {
    name: 'Concat',
    infer: (inputs, attributes) => {
      const axis = numberAttribute({ attributes }, 'axis')
      const [first] = inputs
      for (const { shape, dtype } of inputs) {
        const fits =
          shape.length === first!.shape.length && shape.every((n, i) => i === axis || n === first!.shape[i])
        if (!fits || dtype !== first!.dtype)
          throw new Error(`Concat: [${first!.shape}] with [${shape}] on axis ${axis}`)
      }
      const total = inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0)
      return { shape: first!.shape.map((n, i) => (i === axis ? total : n)), dtype: first!.dtype }
    },
    gradient: (node, dy, wanted) => {
      const axis = numberAttribute(node, 'axis')
      let start = 0
      return node.inputs.map((input, index) => {
        const from = start
        start += input.shape[axis]!
        return wanted[index] ? slice(dy, axis, from, start) : undefined
      })
    },
    onnx: (node, emitter) =>
      emitter.node(
        'Concat',
        node.inputs.map((input) => emitter.name(input)),
        { axis: { int: numberAttribute(node, 'axis') } }
      )
  },
  Expand: {
    name: 'Expand',
    infer: ([x], attributes) => {
      const shape = listAttribute({ attributes }, 'shape')
      if (!sameShape(broadcastShapes(x!.shape, shape), shape))
        throw new Error(`Expand: [${x!.shape}] to [${shape}]`)
      return { shape, dtype: x!.dtype }
    },
    gradient: (node, dy) => [sumTo(dy, node.inputs[0]!.shape)],
    onnx: (node, emitter) =>
      emitter.node('Expand', [emitter.name(node.inputs[0]!), emitter.int64(node.shape)])
  }
} satisfies Record<string, Operator>

/** The same elements in another shape. */
export function reshape(x: GraphNode, shape: readonly number[]): GraphNode {
  if (sameShape(x.shape, shape)) return x
  if (x.operator.name === 'Reshape') return reshape(x.inputs[0]!, shape)
  return x.builder.apply(layoutOperators.Reshape, [x], { shape })
}

/** Axes in another order: result axis i is axis `permutation[i]` of `x`. */
export function transpose(x: GraphNode, permutation: readonly number[]): GraphNode {
  const ordered = permutation.toSorted((a, b) => a - b)
  if (ordered.length !== x.shape.length || ordered.some((axis, index) => axis !== index)) {
    throw new Error(`Transpose: [${permutation}] is not a permutation of the axes of [${x.shape}]`)
  }
  if (ordered.every((axis) => permutation[axis] === axis)) return x
  if (x.operator.name === 'Transpose') {
    const first = listAttribute(x, 'permutation')
    return transpose(
      x.inputs[0]!,
      permutation.map((axis) => first[axis]!)
    )
  }
  return x.builder.apply(layoutOperators.Transpose, [x], { permutation })
}

/** Elements `start` (included) to `end` (excluded) along one axis. */
export function slice(x: GraphNode, axis: number, start: number, end: number): GraphNode {
  const at = normaliseAxis(axis, x.shape.length)
  if (start < 0 || end <= start || end > x.shape[at]!) {
    throw new Error(`Slice: ${start} to ${end} is outside axis ${axis} of [${x.shape}]`)
  }
  return x.builder.apply(layoutOperators.Slice, [x], { axis: at, start, end })
}

/** Adds zeros along one axis. */
export function pad(x: GraphNode, axis: number, before: number, after: number): GraphNode {
  if (before === 0 && after === 0) return x
  return x.builder.apply(layoutOperators.Pad, [x], {
    axis: normaliseAxis(axis, x.shape.length),
    before,
    after
  })
}

/** Values one after another along `axis`. */
export function concat(values: readonly [GraphNode, ...GraphNode[]], axis: number): GraphNode {
  const [first] = values
  if (values.length === 1) return first
  return first.builder.apply(layoutOperators.Concat, values, {
    axis: normaliseAxis(axis, first.shape.length)
  })
}

/** Repeats `x` along its axes of extent 1 (and along new leading axes) up to `shape`. */
export function expand(x: GraphNode, shape: readonly number[]): GraphNode {
  return sameShape(x.shape, shape) ? x : x.builder.apply(layoutOperators.Expand, [x], { shape })
}
