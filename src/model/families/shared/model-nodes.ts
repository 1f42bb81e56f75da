import type { GraphNode } from '../../graph/index.ts'
import type { SequenceNodes } from './sequence-nodes.ts'

/** LoRA factors of one module inside a graph: ΔW = scale · B A. */
export interface LoraNodes {
  /** [rank, inFeatures] */
  readonly A: GraphNode
  /** [outFeatures, rank] */
  readonly B: GraphNode
  readonly scale: number
  /** Factors [rows, inFeatures] on the input of A: 0 or 1 / (1 − p); no dropout if absent. */
  readonly dropout?: GraphNode
}

/** Source of the forward pass's parameters. */
export interface ModelNodes {
  /** The parameter with this Hugging Face name: float32, or float16 for an embedding table. */
  parameter(name: string): GraphNode
  /** x Wᵀ for a linear weight that is not stored as float32; undefined for other weights. */
  product?(x: GraphNode, name: string): GraphNode | undefined
  /** LoRA factors by module name; modules without them are plain. */
  readonly lora: ReadonlyMap<string, LoraNodes>
  /** Positions and attention that differ from those of a text starting at the first token. */
  readonly sequence?: SequenceNodes
  /** The trained nodes inside the named layer, if its intermediate values are recomputed in the backward pass. */
  recompute?(layer: string): readonly GraphNode[]
}
