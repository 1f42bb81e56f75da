import type { LoraAdapter } from '../../adapter/pair/lora-adapter.ts'
import type { MultipleChoice } from '../../data/records/multiple-choice.ts'
import { type TextTokenizer, withPrefix } from '../../data/text/text-tokenizer.ts'
import type { TensorMap } from '../../formats/tensor.ts'
import type { Executor } from '../executor/index.ts'
import type { ModelConfig } from '../families/index.ts'
import { requireFiniteScores } from './finite-scores.ts'
import { parameterFeeds } from './parameter-feeds.ts'
import { createSequenceScorer } from './sequence-scorer.ts'

/** Choices scored in one run. */
const ROWS_A_RUN = 8

/** Options of a choice scorer. */
export interface ChoiceScorerOptions {
  readonly config: ModelConfig
  readonly tokenizer: TextTokenizer
  readonly executor: Executor
}

/** A model's scores for the choices of one question. */
export interface ChoiceScores {
  /** Log-probability of each choice after the context, nats. */
  readonly logProbabilities: readonly number[]
  /** The most likely choice. */
  readonly chosen: number
  /** The most likely choice by log-probability per character (Unicode code point). */
  readonly chosenByCharacter: number
  /** The most likely choice by log-probability per UTF-8 byte. */
  readonly chosenByByte: number
}

/** Scores multiple-choice questions. */
export interface ChoiceScorer {
  /**
   * @param onProgress receives the number of choices done and the total
   * @throws {Error} when a choice is longer than the model's context
   */
  score(
    questions: readonly MultipleChoice[],
    weights: TensorMap,
    options?: { readonly adapter?: LoraAdapter | undefined; onProgress?(done: number, all: number): void }
  ): Promise<ChoiceScores[]>
  dispose(): Promise<void>
}

/** A row to score: all tokens but the last are inputs, and the last `scored` targets count. */
interface Row {
  readonly ids: readonly number[]
  readonly scored: number
}

/**
 * Scores choices as lm-evaluation-harness does for `multiple_choice` tasks: the sum of the log-probabilities of a
 * choice's tokens after the context. A choice follows after the delimiter; context and choice are tokenized together,
 * and the tokens that the context alone has come first; a context that is too long loses its beginning.
 */
export function createChoiceScorer({ config, tokenizer, executor }: ChoiceScorerOptions): ChoiceScorer {
  const scorer = createSequenceScorer({ config, executor, rows: ROWS_A_RUN })
  return {
    async score(questions, weights, { adapter, onProgress } = {}) {
      const rows = questions.flatMap((question) =>
        question.choices.map((choice) => ({
          ...choiceRow(tokenizer, config.maxPositions, question, choice),
          source: question.source
        }))
      )
      const scores = await scorer.score(
        rows.map(({ ids }) => ids),
        parameterFeeds(weights, adapter),
        (done) => onProgress?.(done, rows.length)
      )
      requireFiniteScores(scores, (row) => rows[row]!.source)
      let next = 0
      return questions.map(({ choices }) => {
        const own = choices.map(() => {
          const { scored } = rows[next]!
          return scores[next++]!.slice(-scored).reduce((sum, value) => sum + value, 0)
        })
        return judgedChoices(choices, own)
      })
    },
    dispose: () => scorer.dispose()
  }
}

/** The most likely choices, from the log-probability of each. */
export function judgedChoices(choices: readonly string[], own: readonly number[]): ChoiceScores {
  const by = (length: (choice: string) => number): number =>
    largest(own.map((sum, index) => sum / length(choices[index]!)))
  return {
    logProbabilities: own,
    chosen: largest(own),
    chosenByCharacter: by((choice) => [...choice].length),
    chosenByByte: by((choice) => Buffer.byteLength(choice))
  }
}

/**
 * Tokens of context and choice, and how many are the choice's, cut where lm-evaluation-harness cuts them
 * (`TemplateLM._encode_pair`, version 0.4): spaces at the context's end belong to the choice; an empty context is the
 * beginning-of-sequence token, or else the end-of-sequence token.
 */
export function choiceRow(
  tokenizer: TextTokenizer,
  maxPositions: number,
  { context, delimiter = ' ', source }: Pick<MultipleChoice, 'context' | 'delimiter' | 'source'>,
  choice: string
): Row {
  const encode = (text: string): number[] => [
    ...withPrefix(tokenizer, tokenizer.encode(text)),
    ...(tokenizer.suffix ?? [])
  ]
  const kept = context.trimEnd()
  const continuation = context.slice(kept.length) + delimiter + choice
  const before = kept === '' ? [] : encode(kept)
  const whole = kept === '' ? tokenizer.encode(continuation) : encode(kept + continuation)
  const own = whole.slice(before.length)
  const first = tokenizer.bosId ?? tokenizer.eosId
  if (before.length === 0 && first === undefined)
    throw new Error(
      `${source}: an empty context needs a tokenizer with a beginning-of-sequence or end-of-sequence token`
    )
  if (before.length === 0) before.push(own[0] === first ? own.shift()! : first!)
  const scored = own.length
  if (scored < 1) throw new Error(`${source}: the choice ${JSON.stringify(choice)} has no token of its own`)
  if (scored > maxPositions)
    throw new Error(
      `${source}: a choice of ${scored} tokens is longer than the model's ${maxPositions} positions`
    )
  return { ids: [...before, ...own].slice(-(maxPositions + 1)), scored }
}

function largest(values: readonly number[]): number {
  return values.reduce((best, value, index) => (value > values[best]! ? index : best), 0)
}
