import { type DecoderNames, decoderFamily } from '../shared/decoder/index.ts'
import { type Lfm2Config, lfm2ConfigJson, parseLfm2Config } from './config.ts'

export { type Lfm2Config, lfm2ConfigJson, parseLfm2Config } from './config.ts'

const NAMES: DecoderNames = {
  queryKeyValue: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
  attentionOutput: 'self_attn.out_proj',
  queryNorm: 'self_attn.q_layernorm',
  keyNorm: 'self_attn.k_layernorm',
  gateUp: ['feed_forward.w1', 'feed_forward.w3'],
  down: 'feed_forward.w2',
  attentionNorms: { before: 'operator_norm' },
  feedForwardNorms: { before: 'ffn_norm' },
  finalNorm: 'embedding_norm'
}

/**
 * LFM2: gated short convolutions in most layers, attention in the others.
 *
 * @example
 * ```ts
 * const config = parseLfm2Config(JSON.parse(readFileSync('config.json', 'utf8')))
 * const weights = lfm2Family.initialise(config, 1)
 * ```
 */
export const lfm2Family = decoderFamily<Lfm2Config>({
  name: 'lfm2',
  modelTypes: ['lfm2'],
  parseConfig: parseLfm2Config,
  configJson: lfm2ConfigJson,
  names: () => NAMES,
  landmark: 'operator_norm'
})
