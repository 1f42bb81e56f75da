import type { GraphBuilder } from './graph-builder.ts'
import type { Operator } from './operator.ts'

/** Element types of a graph. Computation uses the first three; the others are storage formats of inputs. */
export type DataType = 'float32' | 'int32' | 'bool' | 'float16' | 'uint8'

/** A static setting of an operator: an axis, a permutation, a factor. */
export type AttributeValue = number | boolean | string | readonly number[]
export type Attributes = Readonly<Record<string, AttributeValue>>

/** Elements of a constant, row-major. */
export type ConstantValues = Float32Array | Int32Array

/** A value of a graph: the result of an operator on its inputs. Shapes are static. */
export interface GraphNode {
  /** Position in the builder's order; every input has a smaller one. */
  readonly id: number
  readonly operator: Operator
  readonly inputs: readonly GraphNode[]
  readonly attributes: Attributes
  readonly shape: readonly number[]
  readonly dtype: DataType
  /** Elements, for a constant only. */
  readonly values?: ConstantValues
  /** The builder that owns the node. */
  readonly builder: GraphBuilder
}

/** A finished graph: only what its outputs need, inputs before their users. */
export interface Graph {
  readonly nodes: readonly GraphNode[]
  readonly inputs: ReadonlyMap<string, GraphNode>
  readonly outputs: ReadonlyMap<string, GraphNode>
}
