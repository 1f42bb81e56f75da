import type { GraphBuilder } from './graph-builder.ts'
import type { Operator } from './operator.ts'

/** Element types of a graph. It computes with the first three; the others are forms in which inputs are held. */
export type DataType = 'float32' | 'int32' | 'bool' | 'float16' | 'uint8'

/** A static setting of an operator: an axis, a permutation, a factor. */
export type AttributeValue = number | boolean | string | readonly number[]
export type Attributes = Readonly<Record<string, AttributeValue>>

/** Elements of a constant, row-major. */
export type ConstantValues = Float32Array | Int32Array

/** One value of a graph: what an operator makes of its inputs. Shapes are static. */
export interface GraphNode {
  /** Place in the builder's order; every input has a smaller one. */
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
