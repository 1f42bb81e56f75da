/**
 * Gemma, Gemma 2 and the text model of Gemma 3.
 *
 * @example
 * ```ts
 * const config = parseGemmaConfig(JSON.parse(readFileSync('config.json', 'utf8')))
 * const weights = gemmaFamily.initialise(config, 1)
 * ```
 */
export { type GemmaConfig, gemmaConfigJson, parseGemmaConfig } from './config.ts'
export { gemmaFamily } from './family.ts'
