import type { GraphNode } from '../../graph/index.ts'
import type { AttentionSettings } from './attention.ts'

/**
 * What a forward pass reads in place of its defaults (a text that begins at the row's first token and is looked back on
 * as a whole). Every family's forward pass takes it, so that caching and packing are written once.
 */
export interface SequenceNodes {
  /** Positions of the tokens of all rows, int32 [length], each below `limit`; 0, 1, 2 … if absent. */
  readonly positions?: {
    readonly node: GraphNode
    readonly limit: number
    /** Tokens of the whole text, where rotations depend on it; `limit` if absent. */
    readonly textLength?: number
  }
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
   * @param settings what is not as usual: a window, a scale, a bound on the scores
   * @returns [batch, keyHeads, group, length, headSize]
   */
  attend?(layer: number, q: GraphNode, k: GraphNode, v: GraphNode, settings?: AttentionSettings): GraphNode
  /**
   * What a convolution of layer `layer` reads before the row's first token; zeros if absent or undefined.
   *
   * @param x what it reads of the row's tokens, [batch, length, width]
   * @returns of `count` tokens, [batch, count, width]
   */
  before?(layer: number, x: GraphNode, count: number): GraphNode | undefined
  /** 1 for every token whose document the token `distance` before it is of, else 0, [batch, length, 1]; 1 if absent. */
  within?(distance: number): GraphNode
}
