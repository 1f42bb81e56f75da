import type { LoraAdapter } from '../../adapter/pair/lora-adapter.ts'
import type { MultipleChoice } from '../../data/records/multiple-choice.ts'
import type { TextTokenizer } from '../../data/text/text-tokenizer.ts'
import type { TensorMap } from '../../formats/tensor.ts'
import type { CompiledGraph, Executor, FeedValue } from '../executor/index.ts'
import type { ModelConfig } from '../families/index.ts'
import { applyAdapter } from './apply-adapter.ts'
import { logProbabilityGraph } from './inference-graph.ts'

/** Choices scored in one run. */
const ROWS_A_RUN = 8
/** Shortest row that a graph is compiled for; longer ones double it. */
const LENGTH_MIN = 32

/** What a choice scorer is compiled for. */
export interface ChoiceScorerOptions {
  readonly config: ModelConfig
  readonly tokenizer: TextTokenizer
  readonly executor: Executor
}

/** How a model judged the choices of one question. */
export interface ChoiceScores {
  /** Log-probability of each choice behind the context, nats. */
  readonly logProbabilities: readonly number[]
  /** The likeliest choice. */
  readonly chosen: number
  /** The likeliest choice by log-probability a character (Unicode code point). */
  readonly chosenByCharacter: number
  /** The likeliest choice by log-probability a byte of UTF-8. */
  readonly chosenByByte: number
}

/** Judges questions with choices. */
export interface ChoiceScorer {
  /**
   * @param onProgress told the choices done of all
   * @throws {Error} when a choice is longer than the model's context
   */
  score(
    questions: readonly MultipleChoice[],
    weights: TensorMap,
    options?: { readonly adapter?: LoraAdapter | undefined; onProgress?(done: number, all: number): void }
  ): Promise<ChoiceScores[]>
  dispose(): Promise<void>
}

/** A row to score: all tokens but the last are read, and of the tokens behind them the last `scored` count. */
interface Row {
  readonly ids: readonly number[]
  readonly scored: number
}

/**
 * Scores choices as lm-evaluation-harness does for `multiple_choice` tasks: the sum of the log-probabilities of a
 * choice's tokens behind the context. A choice follows after a space; the tokens are those of context and choice together,
 * of which the context's own come first; a context that is too long loses its beginning.
 */
export function createChoiceScorer({ config, tokenizer, executor }: ChoiceScorerOptions): ChoiceScorer {
  const compiled = new Map<number, CompiledGraph>()

  const graphOf = async (length: number): Promise<CompiledGraph> => {
    const known = compiled.get(length)
    if (known) return known
    const graph = await executor.compile(logProbabilityGraph(config, ROWS_A_RUN, length))
    compiled.set(length, graph)
    return graph
  }

  const rowLength = ({ ids }: Row): number => {
    let length = LENGTH_MIN
    while (length < ids.length - 1) length *= 2
    return Math.min(length, config.maxPositions)
  }

  const run = async (
    rows: readonly Row[],
    length: number,
    feeds: Map<string, FeedValue>
  ): Promise<number[]> => {
    const inputIds = new Int32Array(ROWS_A_RUN * length)
    const targetIds = new Int32Array(ROWS_A_RUN * length)
    for (const [place, { ids }] of rows.entries()) {
      inputIds.set(ids.slice(0, -1), place * length)
      targetIds.set(ids.slice(1), place * length)
    }
    feeds.set('inputIds', inputIds).set('targetIds', targetIds)
    const all = (await (await graphOf(length)).run(feeds)).get('logProbabilities')!
    return rows.map(({ ids, scored }, place) => {
      const end = place * length + ids.length - 1
      return all.subarray(end - scored, end).reduce((sum, value) => sum + value, 0)
    })
  }

  return {
    async score(questions, weights, { adapter, onProgress } = {}) {
      const applied = adapter ? applyAdapter(weights, adapter) : weights
      const feeds = new Map<string, FeedValue>([...applied].map(([name, { data }]) => [name, data]))
      const rows = questions.flatMap(({ context, choices, source }) =>
        choices.map((choice) => choiceRow(tokenizer, config.maxPositions, context, choice, source))
      )
      const logProbabilities = new Array<number>(rows.length).fill(0)
      // Rows of one length together, the longest first: what does not fit into memory shows at once.
      const order = rows
        .map((_, index) => index)
        .sort((a, b) => rowLength(rows[b]!) - rowLength(rows[a]!) || a - b)
      for (let start = 0; start < order.length; ) {
        const length = rowLength(rows[order[start]!]!)
        const same = order
          .slice(start, start + ROWS_A_RUN)
          .filter((index) => rowLength(rows[index]!) === length)
        const sums = await run(
          same.map((index) => rows[index]!),
          length,
          feeds
        )
        for (const [place, index] of same.entries()) logProbabilities[index] = sums[place]!
        start += same.length
        onProgress?.(start, order.length)
      }
      let next = 0
      return questions.map(({ choices }) => {
        const own = choices.map(() => logProbabilities[next++]!)
        const by = (length: (choice: string) => number): number =>
          largest(own.map((sum, index) => sum / length(choices[index]!)))
        return {
          logProbabilities: own,
          chosen: largest(own),
          chosenByCharacter: by((choice) => [...choice].length),
          chosenByByte: by((choice) => Buffer.byteLength(choice))
        }
      })
    },
    dispose: async () => {
      for (const graph of compiled.values()) await graph.dispose()
      compiled.clear()
    }
  }
}

/** Tokens of context and choice, and how many are the choice's. */
export function choiceRow(
  tokenizer: TextTokenizer,
  maxPositions: number,
  context: string,
  choice: string,
  source: string
): Row {
  // Spaces at the context's end belong to the choice's first token, as most vocabularies have it.
  const kept = context.trimEnd()
  const spaces = context.slice(kept.length)
  const continuation = spaces + (spaces === '' && kept !== '' && !/^\s/.test(choice) ? ' ' : '') + choice
  const before = kept === '' ? [] : tokenizer.encode(kept)
  const whole = tokenizer.encode(kept + continuation)
  const scored = whole.length - before.length
  const first = tokenizer.bosId ?? tokenizer.eosId
  const ids = tokenizer.bosId !== undefined || before.length === 0 ? [first, ...whole] : whole
  if (ids.some((id) => id === undefined))
    throw new Error(`${source}: an empty context needs a tokenizer with a beginning or an end of texts`)
  if (scored < 1) throw new Error(`${source}: the choice ${JSON.stringify(choice)} has no token of its own`)
  if (scored > maxPositions)
    throw new Error(
      `${source}: a choice of ${scored} tokens is longer than the model's ${maxPositions} positions`
    )
  return { ids: (ids as number[]).slice(-(maxPositions + 1)), scored }
}

function largest(values: readonly number[]): number {
  return values.reduce((best, value, index) => (value > values[best]! ? index : best), 0)
}
