/**
 * The decoder that most families are: rotary attention and a gated feed-forward network in a residual stream. A family is
 * a description of it: which values its config.json gives, and what its parameters are called.
 *
 * @example
 * ```ts
 * export const smolLm3Family = decoderFamily<SmolLm3Config>({
 *   name: 'smollm3',
 *   modelTypes: ['smollm3'],
 *   parseConfig: parseSmolLm3Config,
 *   configJson: smolLm3ConfigJson,
 *   names: () => LLAMA_NAMES
 * })
 * ```
 */
export { type DecoderConfig, type DecoderNames, LLAMA_NAMES } from './config.ts'
export { type DecoderDescription, decoderFamily } from './family.ts'
