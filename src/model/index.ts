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
export { applyAdapter } from './evaluate/apply-adapter.ts'
export {
  type ChoiceScorer,
  type ChoiceScorerOptions,
  type ChoiceScores,
  createChoiceScorer
} from './evaluate/choice-scorer.ts'
export {
  createEvaluator,
  type Evaluator,
  type EvaluatorOptions,
  type Score,
  type ScoreOptions,
  type TokenScore
} from './evaluate/evaluator.ts'
export {
  createTextScorer,
  type TextScore,
  type TextScorer,
  type TextScorerOptions
} from './evaluate/text-scorer.ts'
export {
  createUpdateEvaluator,
  type UpdateEvaluator,
  type UpdateEvaluatorOptions,
  type UpdateLossOptions
} from './evaluate/update-evaluator.ts'
export * from './executor/index.ts'
export * from './families/gpt2/index.ts'
export * from './families/index.ts'
export * from './families/llama/index.ts'
export type { SequenceNodes } from './families/shared/sequence-nodes.ts'
export type { GenerationDefaults } from './generate/generation-defaults.ts'
export * from './generate/index.ts'
export { type Graph, GraphBuilder, type GraphNode, type Operator, operators } from './graph/index.ts'
export { CHAT_TEMPLATES, createChatTemplate, loadChatTemplate } from './tokenizer/chat-template.ts'
export { createTextTokenizer, loadTokenizer } from './tokenizer/tokenizer.ts'
export * from './train/index.ts'
export { BASE_FORMATS, type BaseFormat } from './weights/base-format.ts'
export {
  type BaseModel,
  type BaseModelDescription,
  checkpointTensors,
  checkWeights,
  describeBaseModel,
  loadBaseModel,
  type SaveBaseModelOptions,
  saveBaseModel
} from './weights/base-model.ts'
export {
  type HeldWeights,
  heldBytes,
  holdWeights,
  loadHeldWeights,
  replaceHeldWeights
} from './weights/held-weights.ts'
export { type LinearWeights, openBaseWeights, openModuleWeights } from './weights/linear-weights.ts'
