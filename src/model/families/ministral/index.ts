import { decoderFamily, LLAMA_NAMES } from '../shared/decoder/index.ts'
import { type MinistralConfig, ministralConfigJson, parseMinistralConfig } from './config.ts'

export { type MinistralConfig, ministralConfigJson, parseMinistralConfig } from './config.ts'

/**
 * Ministral 3: Mistral with YaRN, and queries that grow with their position.
 *
 * @example
 * ```ts
 * const config = parseMinistralConfig(JSON.parse(readFileSync('config.json', 'utf8')))
 * const weights = ministralFamily.initialise(config, 1)
 * ```
 */
export const ministralFamily = decoderFamily<MinistralConfig>({
  name: 'ministral',
  modelTypes: ['ministral3'],
  parseConfig: parseMinistralConfig,
  configJson: ministralConfigJson,
  names: () => LLAMA_NAMES
})
