import { type DecoderNames, decoderFamily, LLAMA_NAMES } from '../shared/decoder/index.ts'
import { OLMO_MODEL_TYPES, type OlmoConfig, olmoConfigJson, parseOlmoConfig } from './config.ts'

export { type OlmoConfig, olmoConfigJson, parseOlmoConfig } from './config.ts'

const NORMS_BEHIND: DecoderNames = {
  ...LLAMA_NAMES,
  attentionNorms: { after: 'post_attention_layernorm' },
  feedForwardNorms: { after: 'post_feedforward_layernorm' }
}

/**
 * OLMo 2 and 3: norms on branch outputs, and on the queries and keys of all heads together. OLMo 3 adds windows.
 *
 * @example
 * ```ts
 * const config = parseOlmoConfig(JSON.parse(readFileSync('config.json', 'utf8')))
 * const weights = olmoFamily.initialise(config, 1)
 * ```
 */
export const olmoFamily = decoderFamily<OlmoConfig>({
  name: 'olmo',
  modelTypes: OLMO_MODEL_TYPES,
  parseConfig: parseOlmoConfig,
  configJson: olmoConfigJson,
  names: () => NORMS_BEHIND,
  landmark: 'post_attention_layernorm'
})
