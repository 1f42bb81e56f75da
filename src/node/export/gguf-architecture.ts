import type { GgufArchitecture, GgufLayout, GgufValue, Tensor } from '../../formats/index.ts'
import type { BaseModel, ModelConfig } from '../../model/index.ts'
import { PeerError } from '../storage/peer-error.ts'

type Decoder = Exclude<ModelConfig, { readonly family: 'gpt2' }>
type Field = readonly [key: string, value: GgufValue]

/** A family as llama.cpp knows it. */
export interface GgufFamily {
  readonly architecture: GgufArchitecture
  /** Keys of the metadata beside those of all models, without the architecture's name before them. */
  readonly fields: readonly Field[]
  /** Tensors that are no parameters. */
  readonly tensors: ReadonlyMap<string, Tensor>
  /** What llama.cpp computes otherwise, or not at all: its adapter can be written, the whole model cannot. */
  readonly faults: readonly string[]
}

const FOUR_NORMS: GgufLayout = {
  modules: {
    post_attention_layernorm: 'post_attention_norm',
    pre_feedforward_layernorm: 'ffn_norm',
    post_feedforward_layernorm: 'post_ffw_norm'
  },
  normOffset: 1
}
const NORMS_BEHIND: GgufLayout = { modules: FOUR_NORMS.modules! }
const FUSED: GgufLayout = { modules: { 'self_attn.qkv_proj': 'attn_qkv', 'mlp.gate_up_proj': 'ffn_up' } }
const SHARED_EXPERT: GgufLayout = {
  modules: { 'shared_mlp.input_linear': ['ffn_gate', 'ffn_up'], 'shared_mlp.output_linear': 'ffn_down' }
}
const CONVOLUTIONS: GgufLayout = {
  modules: {
    'self_attn.out_proj': 'attn_output',
    'self_attn.q_layernorm': 'attn_q_norm',
    'self_attn.k_layernorm': 'attn_k_norm',
    'feed_forward.w1': 'ffn_gate',
    'feed_forward.w3': 'ffn_up',
    'feed_forward.w2': 'ffn_down',
    'conv.in_proj': 'shortconv.in_proj',
    'conv.conv': 'shortconv.conv',
    'conv.out_proj': 'shortconv.out_proj',
    operator_norm: 'attn_norm',
    ffn_norm: 'ffn_norm'
  },
  others: { embedding_norm: 'token_embd_norm' }
}

/**
 * The architecture by which llama.cpp knows a model, and what has to be written for it.
 *
 * @throws {PeerError} for a family that has none
 */
export function ggufFamily({ config, folder }: Pick<BaseModel, 'config' | 'folder'>): GgufFamily {
  if (config.family === 'gpt2' || config.family === 'ministral')
    throw new PeerError(
      `${folder} is of the family ${config.family}, which is not written as GGUF: export it as a PEFT or model folder`
    )
  const { name, layout, fields = [], tensors = [], faults = [] } = familyOf(config)
  const { heads, keyValueHeads } = config
  return {
    architecture: { name, heads, keyValueHeads, ...(layout && { layout }) },
    fields,
    tensors: new Map(tensors),
    faults: [...faults, ...generalFaults(config, name)]
  }
}

interface Described {
  readonly name: string
  readonly layout?: GgufLayout
  readonly fields?: readonly Field[]
  readonly tensors?: readonly (readonly [string, Tensor])[]
  readonly faults?: readonly string[]
}

function familyOf(config: Exclude<Decoder, { readonly family: 'ministral' }>): Described {
  switch (config.family) {
    case 'gemma':
      return gemma(config)
    case 'smollm3':
      return { name: 'smollm3', faults: unless(skipsEvery(config, 4), 'its layers without rotations') }
    case 'phi3':
      return phi(config)
    case 'granite':
      return granite(config)
    case 'olmo':
      return {
        name: 'olmo2',
        layout: NORMS_BEHIND,
        faults: unless(config.windows === undefined, 'its windows')
      }
    case 'lfm2':
      return lfm2(config)
    default: {
      const { attentionBias, outputBias, queryKeyNorm } = config
      const name = queryKeyNorm ? 'qwen3' : attentionBias && !outputBias ? 'qwen2' : 'llama'
      return { name, faults: unless(config.windows === undefined, 'its windows') }
    }
  }
}

function gemma(config: Extract<Decoder, { readonly family: 'gemma' }>): Described {
  const { modelType, layers, hiddenSize, heads, headSize, localRope } = config
  const attentionScale = config.attentionScale ?? headSize ** -0.5
  const isSecond = modelType === 'gemma2'
  if (modelType === 'gemma')
    return { name: 'gemma', layout: { normOffset: 1 }, faults: unless(config.tiedHead, 'its untied head') }
  // By the number of layers llama.cpp takes a model for the largest, whose scale is another.
  const scale = layers === (isSecond ? 46 : 62) ? hiddenSize / heads : headSize
  const { fields, faults } = windowsEvery(config, isSecond ? 2 : 6)
  return {
    name: isSecond ? 'gemma2' : 'gemma3',
    layout: FOUR_NORMS,
    fields: [
      ...(fields ?? []),
      ...number('attn_logit_softcapping', config.attentionSoftCap),
      ...number('final_logit_softcapping', config.logitSoftCap)
    ],
    faults: [
      ...(faults ?? []),
      ...unless(config.tiedHead, 'its untied head'),
      ...unless(isClose(attentionScale, scale ** -0.5), 'query_pre_attn_scalar'),
      ...unless(
        !isSecond || (config.attentionSoftCap !== undefined && config.logitSoftCap !== undefined),
        'a missing soft cap'
      ),
      ...unless(
        localRope === undefined || (localRope.theta === 10_000 && localRope.scaling === undefined),
        'the rotation of its layers with windows'
      )
    ]
  }
}

function phi(config: Extract<Decoder, { readonly family: 'phi3' }>): Described {
  const scaling = config.ropeScaling
  const faults = unless(config.windows === undefined, 'its windows')
  if (scaling?.kind !== 'longrope') return { name: 'phi3', layout: FUSED, faults }
  const factors = (values: readonly number[]): Tensor => ({
    shape: [values.length],
    data: Float32Array.from(values)
  })
  return {
    name: 'phi3',
    layout: FUSED,
    fields: [
      ['rope.scaling.original_context_length', { type: 'uint32', value: scaling.originalMaxPositions }],
      ...number('rope.scaling.attn_factor', scaling.attentionFactor)
    ],
    tensors: [
      ['rope_factors_long.weight', factors(scaling.longFactors)],
      ['rope_factors_short.weight', factors(scaling.shortFactors)]
    ],
    faults
  }
}

function granite(config: Extract<Decoder, { readonly family: 'granite' }>): Described {
  return {
    name: 'granite',
    ...(config.modelType === 'granitemoehybrid' && { layout: SHARED_EXPERT }),
    fields: [
      ...number('embedding_scale', config.embeddingScale),
      ...number('residual_scale', config.residualScale),
      ...number('attention.scale', config.attentionScale),
      ...number('logit_scale', 1 / (config.hiddenScale ?? 1)),
      // llama.cpp's switch for rotations.
      ...(config.unrotated === undefined
        ? []
        : [['rope.scaling.finetuned', { type: 'bool', value: false }] satisfies Field])
    ]
  }
}

function lfm2(config: Extract<Decoder, { readonly family: 'lfm2' }>): Described {
  const { layers, keyValueHeads, convolution } = config
  const perLayer = Array.from({ length: layers }, (_, index) =>
    convolution?.layers[index] ? 0 : keyValueHeads
  )
  return {
    name: 'lfm2',
    layout: CONVOLUTIONS,
    fields: [
      ['attention.head_count_kv', { type: 'array', of: 'uint32', value: perLayer }],
      ['shortconv.l_cache', { type: 'uint32', value: convolution?.width ?? 3 }]
    ],
    faults: unless(convolution?.bias !== true, 'biases of its convolutions')
  }
}

/** Windows where llama.cpp expects them: in all layers but every `period`-th. */
function windowsEvery({ windows, layers }: Decoder, period: number): Pick<Described, 'fields' | 'faults'> {
  if (windows === undefined) return {}
  const [window] = windows.filter((size) => size !== null)
  const fits = Array.from({ length: layers }, (_, index) => (index % period < period - 1 ? window : null))
  return {
    fields: number('attention.sliding_window', window).map(
      ([key]): Field => [key, { type: 'uint32', value: window! }]
    ),
    faults: unless(`${fits}` === `${windows}`, 'the order of its windows')
  }
}

/** Whether every `period`-th layer, and no other, is without rotations. */
function skipsEvery({ unrotated, layers }: Decoder, period: number): boolean {
  return Array.from({ length: layers }, (_, index) => index).every(
    (index) => (unrotated?.[index] ?? false) === ((index + 1) % period === 0)
  )
}

const BIASED = ['llama', 'qwen2', 'granite']

function generalFaults(config: Decoder, name: string): string[] {
  const { ropeScaling, attentionBias, feedForwardBias = false } = config
  const isScaled = ropeScaling !== undefined && !(name === 'phi3' && ropeScaling.kind === 'longrope')
  const isLinear = ropeScaling?.kind === 'linear' && name === 'gemma3'
  return [
    ...unless(!isScaled || isLinear, 'scaled RoPE'),
    ...unless(!(attentionBias || feedForwardBias) || BIASED.includes(name), 'biases')
  ]
}

function unless(fits: boolean, fault: string): string[] {
  return fits ? [] : [fault]
}

function isClose(left: number, right: number): boolean {
  return Math.abs(left - right) <= 1e-9 * right
}

function number(key: string, value: number | undefined): Field[] {
  return value === undefined ? [] : [[key, { type: 'float32', value }]]
}
