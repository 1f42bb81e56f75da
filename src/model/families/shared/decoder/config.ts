import type { Activation } from '../activations.ts'
import type { CommonConfig } from '../model-family.ts'
import type { Rope, RopeScaling } from '../rope.ts'
import type { TowerType } from '../text-tower.ts'

/**
 * What the families of rotary attention and gated feed-forward networks differ in, as values. What is absent is as in
 * Llama.
 */
export interface DecoderConfig extends CommonConfig {
  readonly intermediateSize: number
  readonly normEpsilon: number
  readonly ropeTheta: number
  /** None if absent. */
  readonly ropeScaling?: RopeScaling
  /** Whether q, k and v have biases. */
  readonly attentionBias: boolean
  /** Whether the attention's output projection has a bias. */
  readonly outputBias: boolean
  /** Whether the feed-forward projections have biases; not if absent. */
  readonly feedForwardBias?: boolean
  /**
   * Whether queries and keys are normalised before they are rotated: every head's (true, as in Qwen3) or those of all heads
   * together (OLMo); not if absent.
   */
  readonly queryKeyNorm?: boolean | 'all-heads'
  /** Keys that the queries of each layer attend to, themselves included; null for all. All if absent. */
  readonly windows?: readonly (number | null)[]
  /**
   * The `model_type` of the larger model whose text model it is: its parameters' names begin with `model.language_model.`
   * then, in place of `model.`.
   */
  readonly tower?: TowerType
  /** Elements of a head that are rotated, its first ones; all if absent. */
  readonly rotarySize?: number
  /** Another rotation for some of the layers (Gemma 3, OLMo 3); the same for all if absent. */
  readonly localRope?: Rope & { readonly layers: readonly boolean[] }
  /** Layers in which positions are not rotated (SmolLM3); none if absent. */
  readonly unrotated?: readonly boolean[]
  /** Factor on the queries by their position (Ministral 3): 1 + beta · ln(1 + ⌊position / positions⌋); 1 if absent. */
  readonly queryGrowth?: { readonly beta: number; readonly positions: number }
  /** What is added to the weights of norms (1 in Gemma); 0 if absent. */
  readonly normOffset?: number
  /** `silu` if absent. */
  readonly activation?: Activation
  /** Factor on the embeddings; 1 if absent. */
  readonly embeddingScale?: number
  /** Factor on what a branch adds to the residual stream; 1 if absent. */
  readonly residualScale?: number
  /** Factor on the last hidden states, and so on the logits; 1 if absent. */
  readonly hiddenScale?: number
  /** Factor on the product of query and key; 1 / √headSize if absent. */
  readonly attentionScale?: number
  /** Bound on the attention's scores; none if absent. */
  readonly attentionSoftCap?: number
  /** Short convolutions in place of attention in some of the layers (LFM2); none if absent. */
  readonly convolution?: {
    /** Tokens that one of its outputs depends on, its own included. */
    readonly width: number
    readonly bias: boolean
    readonly layers: readonly boolean[]
  }
}

/** Names of a layer's norms, those before and behind one of its two branches. */
export interface BranchNorms {
  readonly before?: string
  readonly after?: string
}

/** Names inside one layer, and of the final norm. */
export interface DecoderNames {
  /** Queries, keys and values: three modules, or one that gives all of them. */
  readonly queryKeyValue: readonly [string, string, string] | string
  readonly attentionOutput: string
  readonly queryNorm: string
  readonly keyNorm: string
  /** Gate and what is gated: two modules, or one that gives both. */
  readonly gateUp: readonly [string, string] | string
  readonly down: string
  readonly attentionNorms: BranchNorms
  readonly feedForwardNorms: BranchNorms
  /** Behind the prefix: `norm`. */
  readonly finalNorm: string
}

/** The names of Llama and most others. */
export const LLAMA_NAMES: DecoderNames = {
  queryKeyValue: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
  attentionOutput: 'self_attn.o_proj',
  queryNorm: 'self_attn.q_norm',
  keyNorm: 'self_attn.k_norm',
  gateUp: ['mlp.gate_proj', 'mlp.up_proj'],
  down: 'mlp.down_proj',
  attentionNorms: { before: 'input_layernorm' },
  feedForwardNorms: { before: 'post_attention_layernorm' },
  finalNorm: 'norm'
}

/** Names of a layer with a short convolution. */
export const CONVOLUTION_NAMES = {
  input: 'conv.in_proj',
  taps: 'conv.conv',
  output: 'conv.out_proj'
} as const
