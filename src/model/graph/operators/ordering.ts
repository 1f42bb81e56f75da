import type { GraphNode } from '../graph.ts'
import { ONNX_TYPES } from '../onnx-types.ts'
import type { OnnxEmitter, Operator } from '../operator.ts'
import { cast } from './elementwise.ts'
import { reshape } from './layout.ts'

export const orderingOperators = {
  After: {
    name: 'After',
    infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
    gradient: (node, dy) => [dy, ...node.inputs.slice(1).map(() => undefined)],
    decompose: ([x]) => reshape(cast(x!, x!.dtype), x!.shape),
    // Reshape needs its shape before it can run, and copies nothing. The shape is a constant and zeros that onnxruntime
    // cannot know to be zeros: whether the triggers' first elements are less than themselves.
    onnx: (node, emitter) => {
      const [x, ...triggers] = node.inputs as [GraphNode, ...GraphNode[]]
      const shape = triggers.reduce(
        (sum, trigger) => emitter.node('Add', [sum, zero(trigger, emitter)]),
        emitter.int64(x.shape)
      )
      return emitter.node('Reshape', [emitter.name(x), shape])
    }
  }
} satisfies Record<string, Operator>

/**
 * `x` itself, computed only after all `triggers`. It is a distinct value: what is computed from it is neither shared
 * with what is computed from `x`, nor started before the triggers are available. Gradients flow to `x` only.
 */
export function after(x: GraphNode, triggers: readonly GraphNode[]): GraphNode {
  return triggers.length === 0 ? x : x.builder.apply(orderingOperators.After, [x, ...triggers])
}

/** An int64 [1] that is 0. */
function zero(trigger: GraphNode, emitter: OnnxEmitter): string {
  const flat = emitter.node('Reshape', [emitter.name(trigger), emitter.int64([-1])])
  const first = emitter.node('Slice', [flat, emitter.int64([0]), emitter.int64([1])])
  return emitter.node('Cast', [emitter.node('Less', [first, first])], { to: { int: ONNX_TYPES.int64 } })
}
