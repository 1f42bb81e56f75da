/**
 * Scores of text under a model: per token, per choice, per packed batch, and with another member's update. All of them
 * run the graph of `target-scorer.ts`.
 *
 * @example
 * ```ts
 * const evaluator = await createEvaluator({ config, context: 256 })
 * const { nats, tokens } = await evaluator.score({ weights, ids: tokenizer.encode(text) })
 * await evaluator.dispose()
 * ```
 */
export { applyAdapter } from './apply-adapter.ts'
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
} from './evaluator.ts'
export { createLossEvaluator, type LossEvaluator, type LossEvaluatorOptions } from './loss-evaluator.ts'
export {
  createSequenceScorer,
  overlappingWindows,
  type SequenceScorer,
  type SequenceScorerOptions
} from './sequence-scorer.ts'
export { createTextScorer, type TextScore, type TextScorer, type TextScorerOptions } from './text-scorer.ts'
export {
  createUpdateEvaluator,
  type UpdateEvaluator,
  type UpdateEvaluatorOptions,
  type UpdateLossOptions
} from './update-evaluator.ts'
