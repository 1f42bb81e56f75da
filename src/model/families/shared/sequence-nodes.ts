import type { GraphNode } from '../../graph/index.ts'
import type { AttentionSettings } from './attention.ts'

/**
 * Replacements for the defaults of a forward pass (a text that starts at the row's first token, with attention to all
 * of it). Every family's forward pass accepts them, so caching and packing are implemented once.
 */
export interface SequenceNodes {
  /** Positions of the tokens of all rows, int32 [length], each below `limit`; 0, 1, 2 … if absent. */
  readonly positions?: {
    readonly node: GraphNode
    readonly limit: number
    /** Number of tokens of the whole text, on which rotations may depend; `limit` if absent. */
    readonly textLength?: number
  }
  /**
   * Positions that restart with every packed document, int32 [batch, length]. For learned positions only, since rotary
   * ones depend on distances, which do not change.
   */
  readonly restarts?: GraphNode
  /**
   * Attention of layer `layer`, replacing causal attention.
   *
   * @param q [batch, keyHeads, group, length, headSize], with its positions applied
   * @param k [batch, keyHeads, length, headSize], as is `v`
   * @param settings non-default settings: a window, a scale, a bound on the scores
   * @returns [batch, keyHeads, group, length, headSize]
   */
  attend?(layer: number, q: GraphNode, k: GraphNode, v: GraphNode, settings?: AttentionSettings): GraphNode
  /**
   * The inputs of the convolution of layer `layer` before the row's first token; zeros if absent or undefined.
   *
   * @param x its inputs for the row's tokens, [batch, length, width]
   * @returns inputs of `count` tokens, [batch, count, width]
   */
  before?(layer: number, x: GraphNode, count: number): GraphNode | undefined
  /**
   * 1 for every token in the same document as the token `distance` before it, otherwise 0, [batch, length, 1]; 1 if
   * absent.
   */
  within?(distance: number): GraphNode
}
