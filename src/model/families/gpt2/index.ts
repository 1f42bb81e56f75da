/**
 * GPT-2: its config, its parameters and its forward pass.
 *
 * @example
 * ```ts
 * const config = parseGpt2Config(JSON.parse(readFileSync('config.json', 'utf8')))
 * const weights = gpt2Family.initialise(config, 1)
 * ```
 */
export { type Gpt2Config, gpt2ConfigJson, parseGpt2Config } from './config.ts'
export { gpt2Family } from './family.ts'
