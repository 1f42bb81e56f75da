import type { GraphNode } from '../../graph/index.ts'
import type { SequenceNodes } from './sequence-nodes.ts'

/** LoRA factors of one module inside a graph: ΔW = scale · B A. */
export interface LoraNodes {
  /** [rank, inFeatures] */
  readonly A: GraphNode
  /** [outFeatures, rank] */
  readonly B: GraphNode
  readonly scale: number
  /** Factors [rows, inFeatures] on what A reads: 0 or 1 / (1 − p); no dropout if absent. */
  readonly dropout?: GraphNode
}

/** Where the forward pass finds its parameters. */
export interface ModelNodes {
  /** The parameter of that Hugging Face name: float32, or float16 for a table of embeddings. */
  parameter(name: string): GraphNode
  /** x Wᵀ for a linear weight that is held in another form than float32; undefined for one that is not. */
  product?(x: GraphNode, name: string): GraphNode | undefined
  /** LoRA factors by module name; modules without them are plain. */
  readonly lora: ReadonlyMap<string, LoraNodes>
  /** Other positions and another attention than those of a text that begins here. */
  readonly sequence?: SequenceNodes
  /** What is trained inside a layer of that name, where its inner values are to be computed again in the backward pass. */
  recompute?(layer: string): readonly GraphNode[]
}
