/**
 * Base models as Hugging Face folders: read, with or without their weights, and written.
 *
 * @example
 * ```ts
 * const { config, tokenizer } = describeBaseModel('models/mine')
 * const { weights } = loadBaseModel('models/mine')
 * saveBaseModel('models/copy', { config, weights, tokenizerJson, tokenizerConfigJson, dtype: 'BF16' })
 * ```
 */
export { type BaseModel, type BaseModelDescription, describeBaseModel, loadBaseModel } from './base-model.ts'
export {
  chooseSampling,
  type GenerationDefaults,
  loadGenerationDefaults,
  madeMaxTokens,
  type SamplingWishes
} from './generation-defaults.ts'
export { checkpointTensors, type SaveBaseModelOptions, saveBaseModel } from './save-base-model.ts'
