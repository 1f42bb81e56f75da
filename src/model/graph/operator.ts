import type { Attributes, DataType, GraphNode } from './graph.ts'

/** Shape and element type of an operator's result. */
export interface ValueType {
  readonly shape: readonly number[]
  readonly dtype: DataType
}

/** Values of an ONNX node's attributes: integers are `number`s marked by `int`, `float`, text or lists. */
export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly ints: readonly number[] }

/** The emitter of an operator's ONNX form. Values are identified by name. */
export interface OnnxEmitter {
  /** Name of the ONNX value of `node`. */
  name(node: GraphNode): string
  /** Adds an ONNX node with one output and returns that output's name. */
  node(
    type: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, OnnxAttribute>>,
    domain?: string
  ): string
  /** Like `node` for an ONNX node with `count` outputs; an equal call gives the same node's names again. */
  outputs(
    type: string,
    inputs: readonly string[],
    count: number,
    attributes?: Readonly<Record<string, OnnxAttribute>>,
    domain?: string
  ): readonly string[]
  /** Name of an int64 constant; a scalar where `shape` is []. */
  int64(values: readonly number[], shape?: readonly number[]): string
  /** Name of a float32 constant. */
  float32(values: Float32Array, shape: readonly number[]): string
}

/** A kind of computation: its shape rule, gradient rule and ONNX form. */
export interface Operator {
  readonly name: string
  /** @throws {Error} when the inputs are invalid */
  infer(inputs: readonly GraphNode[], attributes: Attributes): ValueType
  /**
   * Gradients of the loss by each input, given its gradient by the output, written as further nodes. `wanted[i]` says
   * whether input i depends on anything trained; if it is false, the result may be undefined. If the rule is absent, no
   * gradient flows.
   */
  gradient?(
    node: GraphNode,
    outputGradient: GraphNode,
    wanted: readonly boolean[]
  ): readonly (GraphNode | undefined)[]
  /**
   * The same value from simpler operators, on the builder of `inputs`: for executors without a kernel for this one.
   * Absent if every executor has one.
   */
  decompose?(inputs: readonly GraphNode[], attributes: Attributes): GraphNode
  /** Emits ONNX nodes and returns the name of the result. */
  onnx(node: GraphNode, emitter: OnnxEmitter): string
}
