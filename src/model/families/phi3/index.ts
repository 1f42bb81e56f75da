import { decoderFamily, LLAMA_NAMES } from '../shared/decoder/index.ts'
import { type Phi3Config, parsePhi3Config, phi3ConfigJson } from './config.ts'

export { type Phi3Config, parsePhi3Config, phi3ConfigJson } from './config.ts'

const NAMES = { ...LLAMA_NAMES, queryKeyValue: 'self_attn.qkv_proj', gateUp: 'mlp.gate_up_proj' }

/**
 * Phi-3, 3.5, 4 and 4-mini: one projection for queries, keys and values, and one for gate and up projection.
 *
 * @example
 * ```ts
 * const config = parsePhi3Config(JSON.parse(readFileSync('config.json', 'utf8')))
 * const weights = phi3Family.initialise(config, 1)
 * ```
 */
export const phi3Family = decoderFamily<Phi3Config>({
  name: 'phi3',
  modelTypes: ['phi3'],
  parseConfig: parsePhi3Config,
  configJson: phi3ConfigJson,
  names: () => NAMES
})
