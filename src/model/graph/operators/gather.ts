import { numberAttribute } from '../attributes.ts'
import type { GraphNode } from '../graph.ts'
import { ONNX_TYPES } from '../onnx-types.ts'
import type { Operator } from '../operator.ts'
import { sameShape } from '../shape.ts'
import { multiply } from './elementwise.ts'
import { expand, reshape } from './layout.ts'

export const gatherOperators = {
  Gather: {
    name: 'Gather',
    infer: ([table, indices]) => {
      if (indices!.dtype !== 'int32') throw new Error(`Gather: indices are ${indices!.dtype}, not int32`)
      return { shape: [...indices!.shape, ...table!.shape.slice(1)], dtype: table!.dtype }
    },
    gradient: (node, dy) => {
      const [table, indices] = node.inputs as [GraphNode, GraphNode]
      return [scatterAddRows(zeros(table), indices, dy), undefined]
    },
    onnx: (node, emitter) =>
      emitter.node(
        'Gather',
        node.inputs.map((input) => emitter.name(input)),
        { axis: { int: 0 } }
      )
  },
  ScatterAddRows: {
    name: 'ScatterAddRows',
    infer: ([base, indices, rows]) => {
      if (!sameShape(rows!.shape, [...indices!.shape, ...base!.shape.slice(1)])) {
        throw new Error(
          `ScatterAddRows: rows [${rows!.shape}] by indices [${indices!.shape}] into [${base!.shape}]`
        )
      }
      return { shape: base!.shape, dtype: base!.dtype }
    },
    gradient: (node, dy) => [dy, undefined, gatherRows(dy, node.inputs[1]!)],
    // ScatterElements walks its updates in order, so that equal indices add up in the same order with any number of
    // threads; ScatterND is free to race.
    onnx: (node, emitter) => {
      const [base, indices, rows] = node.inputs as [GraphNode, GraphNode, GraphNode]
      const column = emitter.node('Reshape', [
        emitter.name(indices),
        emitter.int64([...indices.shape, ...base.shape.slice(1).map(() => 1)])
      ])
      const spread = emitter.node('Expand', [column, emitter.int64(rows.shape)])
      const flat = [
        rows.shape.slice(0, indices.shape.length).reduce((a, b) => a * b, 1),
        ...base.shape.slice(1)
      ]
      return emitter.node(
        'ScatterElements',
        [
          emitter.name(base),
          emitter.node('Reshape', [spread, emitter.int64(flat)]),
          emitter.node('Reshape', [emitter.name(rows), emitter.int64(flat)])
        ],
        { axis: { int: 0 }, reduction: { text: 'add' } }
      )
    }
  },
  GatherElements: {
    name: 'GatherElements',
    infer: ([x, indices]) => {
      if (!sameShape(x!.shape.slice(0, -1), indices!.shape)) {
        throw new Error(`GatherElements needs one index per row, got [${indices!.shape}] for [${x!.shape}]`)
      }
      return { shape: indices!.shape, dtype: x!.dtype }
    },
    gradient: (node, dy) => {
      const [x, indices] = node.inputs as [GraphNode, GraphNode]
      return [multiply(oneHot(indices, x.shape.at(-1)!), reshape(dy, [...dy.shape, 1])), undefined]
    },
    onnx: (node, emitter) => {
      const [x, indices] = node.inputs as [GraphNode, GraphNode]
      const column = emitter.node('Reshape', [emitter.name(indices), emitter.int64([...indices.shape, 1])])
      const picked = emitter.node('GatherElements', [emitter.name(x), column], { axis: { int: -1 } })
      return emitter.node('Reshape', [picked, emitter.int64(node.shape)])
    }
  },
  OneHot: {
    name: 'OneHot',
    infer: ([indices], attributes) => ({
      shape: [...indices!.shape, numberAttribute({ attributes }, 'depth')],
      dtype: 'float32'
    }),
    onnx: (node, emitter) =>
      emitter.node(
        'OneHot',
        [
          emitter.node('Cast', [emitter.name(node.inputs[0]!)], { to: { int: ONNX_TYPES.int64 } }),
          emitter.int64([numberAttribute(node, 'depth')]),
          emitter.float32(Float32Array.of(0, 1), [2])
        ],
        { axis: { int: -1 } }
      )
  }
} satisfies Record<string, Operator>

/** Rows of `table` (axis 0) at `indices` (int32, any shape). */
export function gatherRows(table: GraphNode, indices: GraphNode): GraphNode {
  return table.builder.apply(gatherOperators.Gather, [table, indices])
}

/** `base` with `rows` added at positions `indices` of axis 0; equal indices add up in order. */
export function scatterAddRows(base: GraphNode, indices: GraphNode, rows: GraphNode): GraphNode {
  return base.builder.apply(gatherOperators.ScatterAddRows, [base, indices, rows])
}

/** The element at `indices` of each row along the last axis of `x`. */
export function gatherElements(x: GraphNode, indices: GraphNode): GraphNode {
  return x.builder.apply(gatherOperators.GatherElements, [x, indices])
}

/** Rows of length `depth` that are 1 at `indices` and 0 elsewhere. */
export function oneHot(indices: GraphNode, depth: number): GraphNode {
  return indices.builder.apply(gatherOperators.OneHot, [indices], { depth })
}

function zeros({ builder, shape }: GraphNode): GraphNode {
  return expand(builder.scalar(0), shape)
}
