/**
 * Base models: load, tokenize, train a LoRA or all weights, evaluate, generate.
 *
 * @example
 * ```ts
 * import { createFullTrainer, initialiseLlama, learningRateAt, saveBaseModel } from 'loam-net/model'
 *
 * const trainer = await createFullTrainer({ config, weights: initialiseLlama(config, 1), batchSize: 16, sequenceLength: 256 })
 * const schedule = { kind: 'cosine', learningRate: 3e-3, warmupSteps: 100 } as const
 * while (trainer.stepsDone < 2000) {
 *   const { loss } = await trainer.step(nextBatch(), learningRateAt(schedule, trainer.stepsDone, 2000))
 * }
 * saveBaseModel('models/mine', { config, weights: trainer.weights, tokenizerJson, tokenizerConfigJson, dtype: 'BF16' })
 * ```
 */

export { createSeededRandom, type SeededRandom } from '../data/order/seeded-random.ts'
export * from './base-model/index.ts'
export * from './evaluate/index.ts'
export * from './executor/index.ts'
export * from './families/gpt2/index.ts'
export * from './families/index.ts'
export * from './families/llama/index.ts'
export type { SequenceNodes } from './families/shared/sequence-nodes.ts'
export * from './generate/index.ts'
export { type Graph, GraphBuilder, type GraphNode, type Operator, operators } from './graph/index.ts'
export * from './lora/index.ts'
export {
  CHAT_TEMPLATES,
  type ChatTemplateOptions,
  type ChatTemplateSources,
  chatTemplateSources,
  createChatTemplate,
  loadChatTemplate,
  TEMPLATE_DATE
} from './tokenizer/chat-template.ts'
export { namedSpecialTokens, type SpecialTokens } from './tokenizer/special-tokens.ts'
export {
  createTextTokenizer,
  loadTokenizer,
  readTokenizerConfigs,
  specialTokensOf
} from './tokenizer/tokenizer.ts'
export * from './train/index.ts'
export * from './weights/index.ts'
