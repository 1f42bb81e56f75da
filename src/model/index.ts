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
export { applyAdapter } from './apply-adapter.ts'
export { BASE_FORMATS, type BaseFormat } from './base-format.ts'
export {
  type BaseModel,
  type BaseModelDescription,
  checkpointTensors,
  checkWeights,
  describeBaseModel,
  loadBaseModel,
  type SaveBaseModelOptions,
  saveBaseModel
} from './base-model.ts'
export { CHAT_TEMPLATES, createChatTemplate, loadChatTemplate } from './chat-template.ts'
export {
  type ChoiceScorer,
  type ChoiceScorerOptions,
  type ChoiceScores,
  createChoiceScorer
} from './choice-scorer.ts'
export {
  createEvaluator,
  type Evaluator,
  type EvaluatorOptions,
  type Score,
  type ScoreOptions,
  type TokenScore
} from './evaluate.ts'
export * from './executor/index.ts'
export * from './family/index.ts'
export * from './generation/index.ts'
export type { GenerationDefaults } from './generation-defaults.ts'
export * from './gpt2/index.ts'
export { type Graph, GraphBuilder, type GraphNode, type Operator, operators } from './graph/index.ts'
export {
  type HeldWeights,
  heldBytes,
  holdWeights,
  loadHeldWeights,
  replaceHeldWeights
} from './held-weights.ts'
export { type LinearWeights, openBaseWeights, openModuleWeights } from './linear-weights.ts'
export * from './llama/index.ts'
export { createSeededRandom, type SeededRandom } from './seeded-random.ts'
export type { SequenceNodes } from './sequence-nodes.ts'
export { createTextScorer, type TextScore, type TextScorer, type TextScorerOptions } from './text-scorer.ts'
export { createTextTokenizer, loadTokenizer } from './tokenizer.ts'
export * from './train/index.ts'
export {
  createUpdateEvaluator,
  type UpdateEvaluator,
  type UpdateEvaluatorOptions,
  type UpdateLossOptions
} from './update-evaluator.ts'
