import type { GraphNode } from '../../graph/index.ts'

/**
 * What a forward pass reads in place of its defaults (a text that begins at the row's first token and is looked back on
 * as a whole). Every family's forward pass takes it, so that caching and packing are written once.
 */
export interface SequenceNodes {
  /** Positions of the tokens of all rows, int32 [length], each below `limit`; 0, 1, 2 … if absent. */
  readonly positions?: { readonly node: GraphNode; readonly limit: number }
  /**
   * Positions that start over with every packed document, int32 [batch, length]: for learned positions only, as rotary
   * ones depend on distances, which do not change.
   */
  readonly restarts?: GraphNode
  /**
   * Attention of layer `layer`, in place of the causal one.
   *
   * @param q [batch, keyHeads, group, length, headSize], with its positions applied
   * @param k [batch, keyHeads, length, headSize], and `v` alike
   * @param window keys that a query may attend to, itself included, where the family limits them
   * @returns [batch, keyHeads, group, length, headSize]
   */
  attend?(layer: number, q: GraphNode, k: GraphNode, v: GraphNode, window?: number): GraphNode
}
