import type { GraphNode } from '../graph/index.ts'
import type { SequenceNodes } from '../sequence-nodes.ts'

/** LoRA factors of one module inside a graph: ΔW = scale · B A. */
export interface LoraNodes {
  /** [rank, inFeatures] */
  readonly A: GraphNode
  /** [outFeatures, rank] */
  readonly B: GraphNode
  readonly scale: number
  /** Factors [rows, inFeatures] on what A reads: 0 or 1 / (1 − p); no dropout where it is absent. */
  readonly dropout?: GraphNode
}

/** Where the forward pass finds its parameters. */
export interface ModelNodes {
  /** The parameter of that Hugging Face name. */
  parameter(name: string): GraphNode
  /** LoRA factors by module name; modules without them are plain. */
  readonly lora: ReadonlyMap<string, LoraNodes>
  /** Other positions and another attention than those of a text that begins here. */
  readonly sequence?: SequenceNodes
}
