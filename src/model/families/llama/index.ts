/**
 * The Llama family: its config, its parameters and its forward pass.
 *
 * @example
 * ```ts
 * const config = parseLlamaConfig(JSON.parse(readFileSync('config.json', 'utf8')))
 * const weights = initialiseLlama(config, 1)
 * ```
 */

export { crossEntropy, targetLogProbabilities } from '../shared/cross-entropy.ts'
export type { RopeScaling } from '../shared/rope.ts'
export { type LlamaConfig, llamaConfigJson, parseLlamaConfig } from './config.ts'
export { initialiseLlama, llamaFamily } from './family.ts'
