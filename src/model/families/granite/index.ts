import { decoderFamily, LLAMA_NAMES } from '../shared/decoder/index.ts'
import { GRANITE_MODEL_TYPES, type GraniteConfig, graniteConfigJson, parseGraniteConfig } from './config.ts'

export { type GraniteConfig, graniteConfigJson, parseGraniteConfig } from './config.ts'

const HYBRID_NAMES = { ...LLAMA_NAMES, gateUp: 'shared_mlp.input_linear', down: 'shared_mlp.output_linear' }

/**
 * Granite 3 and dense Granite 4: Llama with factors on embeddings, scores, branches and logits.
 *
 * @example
 * ```ts
 * const config = parseGraniteConfig(JSON.parse(readFileSync('config.json', 'utf8')))
 * const weights = graniteFamily.initialise(config, 1)
 * ```
 */
export const graniteFamily = decoderFamily<GraniteConfig>({
  name: 'granite',
  modelTypes: GRANITE_MODEL_TYPES,
  parseConfig: parseGraniteConfig,
  configJson: graniteConfigJson,
  names: ({ modelType }) => (modelType === 'granite' ? LLAMA_NAMES : HYBRID_NAMES)
})
