import { z } from 'zod'
import { type FamilyKeys, refuseUnreadKeys } from '../shared/config-keys.ts'
import { count, firstId, layerCount, readConfig, refuseKey, tokenId } from '../shared/config-reader.ts'
import type { CommonConfig } from '../shared/model-family.ts'

/** Shape and constants of a GPT-2. */
export interface Gpt2Config extends CommonConfig {
  readonly family: 'gpt2'
  readonly intermediateSize: number
  readonly normEpsilon: number
}

export const GPT2_MODEL_TYPES = ['gpt2'] as const

/** Names of the tanh approximation of GELU. */
const ACTIVATIONS = ['gelu_new', 'gelu_pytorch_tanh']

const configSchema = z.looseObject({
  model_type: z.string(),
  vocab_size: count,
  n_embd: count,
  n_layer: layerCount,
  n_head: count,
  n_positions: count.nullish(),
  n_ctx: count.nullish(),
  n_inner: count.nullish(),
  layer_norm_epsilon: z.number().positive().nullish(),
  activation_function: z.string().nullish(),
  scale_attn_weights: z.boolean().nullish(),
  scale_attn_by_inverse_layer_idx: z.boolean().nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  bos_token_id: tokenId,
  eos_token_id: tokenId
})

const KEYS: FamilyKeys = { used: Object.keys(configSchema.shape), harmless: [], refused: {} }

/**
 * Reads a Hugging Face config.json of GPT-2 (and of DistilGPT2, DialoGPT and others of its shape).
 *
 * @throws {UnsupportedModelError} naming the key that is missing, malformed or not supported
 */
export function parseGpt2Config(json: unknown): Gpt2Config {
  const raw = readConfig(configSchema, json)
  if (raw.model_type !== 'gpt2') refuseKey('model_type', raw.model_type, 'gpt2')
  const activation = raw.activation_function ?? 'gelu_new'
  if (!ACTIVATIONS.includes(activation)) refuseKey('activation_function', activation, ACTIVATIONS.join(', '))
  if (raw.scale_attn_weights === false) refuseKey('scale_attn_weights', false, 'true')
  if (raw.scale_attn_by_inverse_layer_idx) refuseKey('scale_attn_by_inverse_layer_idx', true, 'false')
  refuseUnreadKeys(json, KEYS)
  if (raw.n_embd % raw.n_head !== 0) refuseKey('n_head', raw.n_head, `a divisor of n_embd ${raw.n_embd}`)
  const bosId = firstId(raw.bos_token_id)
  const eosId = firstId(raw.eos_token_id)
  return {
    family: 'gpt2',
    vocabularySize: raw.vocab_size,
    hiddenSize: raw.n_embd,
    intermediateSize: raw.n_inner ?? 4 * raw.n_embd,
    layers: raw.n_layer,
    heads: raw.n_head,
    keyValueHeads: raw.n_head,
    headSize: raw.n_embd / raw.n_head,
    maxPositions: raw.n_positions ?? raw.n_ctx ?? 1024,
    normEpsilon: raw.layer_norm_epsilon ?? 1e-5,
    tiedHead: raw.tie_word_embeddings ?? true,
    ...(bosId !== undefined && { bosId }),
    ...(eosId !== undefined && { eosId })
  }
}

/** The config.json that `parseGpt2Config` reads back into `config`. */
export function gpt2ConfigJson(config: Gpt2Config): Record<string, unknown> {
  return {
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    n_embd: config.hiddenSize,
    n_layer: config.layers,
    n_head: config.heads,
    n_positions: config.maxPositions,
    n_ctx: config.maxPositions,
    n_inner: config.intermediateSize,
    vocab_size: config.vocabularySize,
    layer_norm_epsilon: config.normEpsilon,
    activation_function: 'gelu_new',
    tie_word_embeddings: config.tiedHead,
    ...(config.bosId !== undefined && { bos_token_id: config.bosId }),
    ...(config.eosId !== undefined && { eos_token_id: config.eosId }),
    torch_dtype: 'float32'
  }
}
