/**
 * The decoder that most families share: rotary attention and a gated feed-forward network in a residual stream. A
 * family describes it by the values in its config.json and the names of its parameters.
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
