import type { Tensor } from '@tensorflow/tfjs-core'
import { float16ToFloat32 } from '../../../formats/elements/half-floats.ts'
import { type Graph, GraphBuilder, type GraphNode } from '../../graph/index.ts'
import type { FeedValue } from '../executor.ts'
import type { Tfjs } from './load-tfjs.ts'
import { lowerings } from './lowerings/index.ts'

/** A node, how it is computed, and the values that are not needed after it. */
export interface Step {
  readonly node: GraphNode
  readonly compute: (tf: Tfjs, inputs: readonly Tensor[]) => Tensor
  readonly released: readonly GraphNode[]
}

/**
 * The steps that compute a graph, in order.
 *
 * @throws {Error} when TensorFlow.js supports neither an operator nor its decomposition
 */
export function planSteps(graph: Graph): readonly Step[] {
  const lastUse = new Map<GraphNode, GraphNode>()
  for (const node of graph.nodes) {
    lastUse.set(node, node)
    for (const input of node.inputs) lastUse.set(input, node)
  }
  const kept = new Set(graph.outputs.values())
  const released = new Map<GraphNode, GraphNode[]>()
  for (const [value, user] of lastUse) {
    if (kept.has(value) || value.values) continue
    released.set(user, [...(released.get(user) ?? []), value])
  }
  return graph.nodes
    .filter((node) => !node.values && node.operator.name !== 'Input')
    .map((node) => ({ node, compute: computationOf(node), released: released.get(node) ?? [] }))
}

/**
 * Runs the steps; every value is freed after its last use, except the graph's outputs and constants.
 *
 * @param values initially inputs and constants, later also the outputs
 */
export function runSteps(tf: Tfjs, steps: readonly Step[], values: Map<GraphNode, Tensor>): void {
  for (const { node, compute, released } of steps) {
    const inputs = node.inputs.map((input) => values.get(input)!)
    values.set(
      node,
      tf.tidy(() => compute(tf, inputs))
    )
    for (const value of released) {
      values.get(value)!.dispose()
      values.delete(value)
    }
  }
}

/** A tensor with the given elements, row-major. */
export function tensorOf(tf: Tfjs, values: FeedValue, shape: readonly number[]): Tensor {
  // TensorFlow.js has neither float16 nor uint8: they are widened when fed.
  if (values instanceof Uint16Array)
    return tf.tensor(Float32Array.from(values, float16ToFloat32), [...shape], 'float32')
  if (values instanceof Uint8Array) return tf.tensor(Int32Array.from(values), [...shape], 'int32')
  return tf.tensor(values, [...shape], values instanceof Float32Array ? 'float32' : 'int32')
}

function computationOf(node: GraphNode): Step['compute'] {
  const lowering = lowerings[node.operator.name]
  return lowering ? (tf, inputs) => lowering(tf, node, inputs) : takenApart(node)
}

/** A node computed through its decomposition. */
function takenApart(node: GraphNode): Step['compute'] {
  const { operator } = node
  if (!operator.decompose) throw new Error(`the operator is not implemented for tfjs: ${operator.name}`)
  const builder = new GraphBuilder()
  const inputs = node.inputs.map(({ shape, dtype }, index) => builder.input(`${index}`, shape, dtype))
  const y = operator.decompose(inputs, node.attributes)
  const graph = builder.build({ y })
  const steps = planSteps(graph)
  return (tf, given) => {
    const values = new Map<GraphNode, Tensor>()
    for (const part of graph.nodes) if (part.values) values.set(part, tensorOf(tf, part.values, part.shape))
    // The decomposition frees its inputs; the node's inputs must not be freed.
    for (const [index, input] of inputs.entries()) values.set(input, tf.clone(given[index]!))
    runSteps(tf, steps, values)
    return values.get(y)!
  }
}
