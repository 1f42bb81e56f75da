import type { Activation } from '../activations.ts'
import type { CommonConfig } from '../model-family.ts'
import type { Rope, RopeScaling } from '../rope.ts'
import type { TowerType } from '../text-tower.ts'

/**
 * The differences between families with rotary attention and gated feed-forward networks, as values. Absent values are
 * as in Llama.
 */
export interface DecoderConfig extends CommonConfig {
  readonly intermediateSize: number
  readonly normEpsilon: number
  readonly ropeTheta: number
  /** No scaling if absent. */
  readonly ropeScaling?: RopeScaling
  /** Whether q, k and v have biases. */
  readonly attentionBias: boolean
  /** Whether the attention's output projection has a bias. */
  readonly outputBias: boolean
  /** Whether the feed-forward projections have biases; false if absent. */
  readonly feedForwardBias?: boolean
  /**
   * Whether queries and keys are normalised before rotation: per head (true, as in Qwen3) or over all heads together
   * (OLMo); false if absent.
   */
  readonly queryKeyNorm?: boolean | 'all-heads'
  /**
   * Window of each layer: number of keys that a query attends to, including its own; null for all. All layers attend to
   * all keys if absent.
   */
  readonly windows?: readonly (number | null)[]
  /**
   * The `model_type` of the multimodal model that contains this text model. Parameter names then begin with
   * `model.language_model.` instead of `model.`.
   */
  readonly tower?: TowerType
  /** Number of leading elements of a head that are rotated; all if absent. */
  readonly rotarySize?: number
  /** A different rotation for some layers (Gemma 3, OLMo 3); the same for all if absent. */
  readonly localRope?: Rope & { readonly layers: readonly boolean[] }
  /** Layers in which positions are not rotated (SmolLM3); none if absent. */
  readonly unrotated?: readonly boolean[]
  /** Factor on the queries by their position (Ministral 3): 1 + beta · ln(1 + ⌊position / positions⌋); 1 if absent. */
  readonly queryGrowth?: { readonly beta: number; readonly positions: number }
  /** Offset added to the weights of norms (1 in Gemma); 0 if absent. */
  readonly normOffset?: number
  /** `silu` if absent. */
  readonly activation?: Activation
  /** Factor on the embeddings; 1 if absent. */
  readonly embeddingScale?: number
  /** Factor on a branch's output before it is added to the residual stream; 1 if absent. */
  readonly residualScale?: number
  /** Factor on the last hidden states, and therefore on the logits; 1 if absent. */
  readonly hiddenScale?: number
  /** Factor on the product of query and key; 1 / √headSize if absent. */
  readonly attentionScale?: number
  /** Bound on the attention scores; none if absent. */
  readonly attentionSoftCap?: number
  /** Short convolutions instead of attention in some layers (LFM2); none if absent. */
  readonly convolution?: {
    /** Number of tokens that an output depends on, including its own. */
    readonly width: number
    readonly bias: boolean
    readonly layers: readonly boolean[]
  }
}

/** Names of the norms before and after one of a layer's two branches. */
export interface BranchNorms {
  readonly before?: string
  readonly after?: string
}

/** Names of the modules in a layer, and of the final norm. */
export interface DecoderNames {
  /** Queries, keys and values: three modules, or one that computes all of them. */
  readonly queryKeyValue: readonly [string, string, string] | string
  readonly attentionOutput: string
  readonly queryNorm: string
  readonly keyNorm: string
  /** Gate and up projection: two modules, or one that computes both. */
  readonly gateUp: readonly [string, string] | string
  readonly down: string
  readonly attentionNorms: BranchNorms
  readonly feedForwardNorms: BranchNorms
  /** Name after the prefix: `norm`. */
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
