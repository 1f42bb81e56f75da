/**
 * The Llama family: its config, its parameters and its forward pass, written once as a graph.
 *
 * @example
 * ```ts
 * const config = parseLlamaConfig(JSON.parse(readFileSync('config.json', 'utf8')))
 * const weights = initialiseLlama(config, 1)
 * expandTargetModules(config, ['q_proj', 'v_proj']) // model.layers.0.self_attn.q_proj, …
 * ```
 */
export { type LlamaConfig, llamaConfigJson, parseLlamaConfig, UnsupportedModelError } from './config.ts'
export { crossEntropy, targetLogProbabilities } from './cross-entropy.ts'
export { type LoraNodes, llamaHidden, type ModelNodes } from './forward.ts'
export { initialiseLlama } from './initialise.ts'
export {
  expandTargetModules,
  headParameter,
  type LinearModule,
  linearModules,
  parameterShapes
} from './parameters.ts'
