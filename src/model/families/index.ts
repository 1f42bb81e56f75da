/**
 * Model families behind one interface. Loading, training, evaluation and generation distinguish families only here.
 *
 * @example
 * ```ts
 * const config = parseModelConfig(JSON.parse(readFileSync('config.json', 'utf8')))
 * const weights = initialiseModel(config, 1)
 * expandTargetModules(config, ['all-linear']) // transformer.h.0.attn.c_attn, … or model.layers.0.mlp.down_proj, …
 * ```
 */
export {
  familyOf,
  headParameter,
  hiddenStates,
  initialiseModel,
  type LayerCache,
  layerCaches,
  linearModules,
  type ModelConfig,
  modelConfigJson,
  parameterShapes,
  parseModelConfig,
  rotationChangeOf
} from './registry.ts'
export {
  type CommonConfig,
  type LinearModule,
  type ModelFamily,
  UnsupportedModelError
} from './shared/model-family.ts'
export type { LoraNodes, ModelNodes } from './shared/model-nodes.ts'
export { ALL_LINEAR, expandTargetModules, moduleMatcher } from './target-modules.ts'
