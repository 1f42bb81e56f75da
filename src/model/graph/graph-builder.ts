import type { Attributes, ConstantValues, DataType, Graph, GraphNode } from './graph.ts'
import type { Operator } from './operator.ts'
import { elementCount } from './shape.ts'
import { constantOperator, inputOperator } from './source.ts'

/** Constants up to this many elements are shared when their contents are equal. */
const SHARED_CONSTANT_ELEMENTS = 64

/**
 * Collects the nodes of one graph. Equal computations are built once: a gradient rule may repeat an expression of the
 * forward pass and gets the same node.
 */
export class GraphBuilder {
  readonly #nodes: GraphNode[] = []
  readonly #known = new Map<string, GraphNode>()
  readonly #inputs = new Map<string, GraphNode>()

  /** A named value fed at every run. */
  input(name: string, shape: readonly number[], dtype: DataType = 'float32'): GraphNode {
    if (this.#inputs.has(name)) throw new Error(`the graph already has an input named ${name}`)
    const node = this.#push(inputOperator, [], { name }, shape, dtype)
    this.#inputs.set(name, node)
    return node
  }

  /** A value fixed when the graph is built. */
  constant(values: ConstantValues, shape: readonly number[]): GraphNode {
    if (values.length !== elementCount(shape)) {
      throw new Error(`a constant of shape [${shape}] cannot hold ${values.length} elements`)
    }
    const dtype = values instanceof Float32Array ? 'float32' : 'int32'
    if (values.length > SHARED_CONSTANT_ELEMENTS)
      return this.#push(constantOperator, [], {}, shape, dtype, values)
    const key = `Constant ${dtype} [${shape}] ${Array.from(values, (value) => (Object.is(value, -0) ? '-0' : value))}`
    return this.#once(key, () => this.#push(constantOperator, [], {}, shape, dtype, values))
  }

  /** A float32 constant of rank 0. */
  scalar(value: number): GraphNode {
    return this.constant(Float32Array.of(value), [])
  }

  /** Adds `operator` on `inputs`, or returns an equal existing node. */
  apply(operator: Operator, inputs: readonly GraphNode[], attributes: Attributes = {}): GraphNode {
    for (const input of inputs) {
      if (input.builder !== this) throw new Error(`${operator.name}: an input belongs to another graph`)
    }
    const key = `${operator.name} ${inputs.map((input) => input.id)} ${JSON.stringify(attributes)}`
    return this.#once(key, () => {
      const { shape, dtype } = operator.infer(inputs, attributes)
      return this.#push(operator, inputs, attributes, shape, dtype)
    })
  }

  /** Like `apply`, but the node is never shared. */
  applyOnce(operator: Operator, inputs: readonly GraphNode[]): GraphNode {
    const { shape, dtype } = operator.infer(inputs, {})
    return this.#push(operator, inputs, {}, shape, dtype)
  }

  /** The graph that computes `outputs`; nodes that none of them needs are left out. */
  build(outputs: Readonly<Record<string, GraphNode>>): Graph {
    const live = new Set<GraphNode>(Object.values(outputs))
    for (let id = this.#nodes.length - 1; id >= 0; id--) {
      const node = this.#nodes[id]!
      if (live.has(node)) for (const input of node.inputs) live.add(input)
    }
    return {
      nodes: this.#nodes.filter((node) => live.has(node)),
      inputs: new Map([...this.#inputs].filter(([, node]) => live.has(node))),
      outputs: new Map(Object.entries(outputs))
    }
  }

  #once(key: string, make: () => GraphNode): GraphNode {
    const known = this.#known.get(key)
    if (known) return known
    const made = make()
    this.#known.set(key, made)
    return made
  }

  #push(
    operator: Operator,
    inputs: readonly GraphNode[],
    attributes: Attributes,
    shape: readonly number[],
    dtype: DataType,
    values?: ConstantValues
  ): GraphNode {
    const node: GraphNode = {
      id: this.#nodes.length,
      operator,
      inputs,
      attributes,
      shape,
      dtype,
      builder: this,
      ...(values && { values })
    }
    this.#nodes.push(node)
    return node
  }
}
