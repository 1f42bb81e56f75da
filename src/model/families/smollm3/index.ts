import { decoderFamily, LLAMA_NAMES } from '../shared/decoder/index.ts'
import { parseSmolLm3Config, type SmolLm3Config, smolLm3ConfigJson } from './config.ts'

export { parseSmolLm3Config, type SmolLm3Config, smolLm3ConfigJson } from './config.ts'

/**
 * SmolLM3: Llama with some layers that do not rotate positions.
 *
 * @example
 * ```ts
 * const config = parseSmolLm3Config(JSON.parse(readFileSync('config.json', 'utf8')))
 * const weights = smolLm3Family.initialise(config, 1)
 * ```
 */
export const smolLm3Family = decoderFamily<SmolLm3Config>({
  name: 'smollm3',
  modelTypes: ['smollm3'],
  parseConfig: parseSmolLm3Config,
  configJson: smolLm3ConfigJson,
  names: () => LLAMA_NAMES
})
