import type { Vocabulary } from '../../core/index.ts'
import { TransportError } from '../logits-transport.ts'
import { RemoteError } from '../remote.ts'
import type { Completion, CompletionRequest, CompletionsApi, Prompt } from './completions-api.ts'
import type { TokenNames } from './token-names.ts'
import type { ToldPosition } from './told-position.ts'

/** What a few small requests have shown of a server. */
export interface ServerTraits {
  /** Parameters beside OpenAI's that it takes. */
  readonly extras: Readonly<Record<string, unknown>>
  /** Whether prompts may be ids; where they may not, it cuts a text into tokens itself. */
  readonly takesIds: boolean
  /** Whether it takes several prompts at once. */
  readonly takesLists: boolean
  /** Tokens that it puts before a prompt: 1 where it adds BOS; undefined where it does not say. */
  readonly added: number | undefined
  /** Most log-probabilities of a position. */
  readonly topKMax: number
  /** Whether it tells all of a row. */
  readonly rows: boolean
  /** Whether log-probabilities are the same at temperature 0, so that it may draft greedily. */
  readonly draftsGreedily: boolean
  /** Largest difference of a log-probability between two answers, nats. */
  readonly batchError: number
  readonly identity: string
}

/** Parameters that turn off what servers do to a distribution before they draw, and end no draft early. */
const EXTRAS: readonly Readonly<Record<string, unknown>>[] = [
  {
    top_k: 0,
    min_p: 0,
    repeat_penalty: 1,
    repetition_penalty: 1,
    ignore_eos: true,
    return_tokens_as_token_ids: true
  },
  {}
]
/** The vocabularies up to this are told whole where a server does so. */
const WHOLE_ROWS_MAX = 4_096
/** Counts of log-probabilities that servers are known to stop at, and more. */
const TOP_K_TRIED = [1_024, 64, 20, 10, 5]
/** A difference of answers that a few comparisons need not show. */
const BATCH_ERROR_MIN = 2 ** -10
/** What a few comparisons find is a sample: the largest may be some times as large. */
const BATCH_ERROR_FACTOR = 4
/** Only values near enough to win are compared, nats. */
const COMPARED_NATS = 16
/** A first token is never so certain: less than this is left where a filter has cut the distribution. */
const CUT_TAIL = 1e-4

/**
 * Finds out what a server takes and tells.
 *
 * @throws {RemoteError} `refused`, when it does not tell what is needed
 * @throws {TransportError}
 */
export async function probe(
  api: CompletionsApi,
  names: TokenNames,
  vocabulary: Vocabulary,
  signal: AbortSignal
): Promise<ServerTraits> {
  const ids = probeIds(vocabulary, names)
  const { extras, takesIds, first } = await firstAnswer(api, ids, names, signal)
  const prompt: Prompt = takesIds ? ids : names.textOf(ids)!
  const ask = (
    temperature: number,
    topK: number,
    asked: CompletionRequest['prompt'] = prompt
  ): Promise<Completion> => api.complete({ prompt: asked, maxTokens: 1, topK, temperature, extras }, signal)
  const size = vocabulary.tokens.length
  const tried = [...(size <= WHOLE_ROWS_MAX ? [size] : []), ...TOP_K_TRIED.filter((topK) => topK < size)]
  const { told, topKMax } = await mostTold(tried, (topK) => ask(1, topK))
  requireUncut(told, topKMax, size)
  const topK = Math.min(topKMax, 20)
  const greedy = await accepted(() => ask(0, topK))
  const added = first.promptTokens === undefined ? undefined : first.promptTokens - ids.length
  // Of several prompts it does not say how many tokens each has: it must be known to add none.
  const difference =
    takesIds && added === 0
      ? await accepted(() => differenceOfLists(comparedPrompts(vocabulary), (asked) => ask(1, topK, asked)))
      : undefined
  return {
    extras,
    takesIds,
    takesLists: difference !== undefined && difference < 1,
    added,
    topKMax,
    rows: topKMax >= size && !told.incomplete && knownIds(told) >= size,
    draftsGreedily: greedy !== undefined && differenceOf(told, greedy.choices[0]?.[0]) < COMPARED_SAME,
    batchError: Math.max(BATCH_ERROR_MIN, BATCH_ERROR_FACTOR * (difference ?? 0)),
    identity: first.identity
  }
}

/** Prompts of several lengths, whose distributions are compared asked one by one and at once. */
const COMPARED_LENGTHS = [9, 17, 33]

function comparedPrompts({ tokens }: Vocabulary): number[][] {
  const ids = [...tokens.keys()].filter((id) => tokens[id] !== undefined)
  return COMPARED_LENGTHS.map((length) =>
    Array.from({ length }, (_, place) => ids[(place * 7_919) % ids.length]!)
  )
}

/** Largest difference between the answers to prompts one by one and at once, nats; ∞ where one is of something else. */
async function differenceOfLists(
  prompts: readonly (readonly number[])[],
  ask: (prompt: CompletionRequest['prompt']) => Promise<Completion>
): Promise<number> {
  const together = await ask(prompts)
  let largest = 0
  for (const [index, prompt] of prompts.entries()) {
    const [alone, listed] = [(await ask(prompt)).choices[0]?.[0], together.choices[index]?.[0]]
    // A token that is not told of says nothing.
    if (alone !== undefined && listed !== undefined) largest = Math.max(largest, differenceOf(alone, listed))
  }
  return largest
}

/** Log-probabilities this near are the same distribution's. */
const COMPARED_SAME = 0.01

/** A token that is a word, so that a server that is given text reads that one token. */
function probeIds({ tokens }: Vocabulary, names: TokenNames): readonly number[] {
  let best = 0
  let longest = 0
  for (const [id, bytes] of tokens.entries()) {
    if (bytes === undefined || bytes.length <= longest || bytes.length > 8) continue
    const text = names.textOf([id])
    if (text === undefined || !/^[a-zA-Z]+$/.test(text) || names.idOf({ text }) !== id) continue
    best = id
    longest = bytes.length
  }
  return [best]
}

async function firstAnswer(
  api: CompletionsApi,
  ids: readonly number[],
  names: TokenNames,
  signal: AbortSignal
): Promise<{ extras: ServerTraits['extras']; takesIds: boolean; first: Completion }> {
  let refusal: unknown
  for (const prompt of [ids, names.textOf(ids)!])
    for (const extras of EXTRAS)
      try {
        const first = await api.complete({ prompt, maxTokens: 1, topK: 5, temperature: 1, extras }, signal)
        return { extras, takesIds: typeof prompt !== 'string', first }
      } catch (error) {
        if (!isRefusal(error)) throw error
        refusal = error
      }
  throw refusal
}

/** The most log-probabilities that are told. */
async function mostTold(
  tried: readonly number[],
  ask: (topK: number) => Promise<Completion>
): Promise<{ told: ToldPosition; topKMax: number }> {
  for (const topK of tried) {
    const answer = await accepted(() => ask(topK))
    const told = answer?.choices[0]?.[0]
    if (told === undefined) continue
    const count = told.incomplete ? topK : Math.min(topK, told.tokens.length)
    return { told, topKMax: Math.max(1, count) }
  }
  throw new RemoteError(
    'refused',
    'the server tells no log-probabilities of the likeliest tokens: turn them on there (llama-cpp-python: --logits_all true)'
  )
}

function requireUncut({ tokens }: ToldPosition, topKMax: number, size: number): void {
  const mass = tokens.reduce((sum, { logProbability }) => sum + Math.exp(logProbability), 0)
  if (topKMax < size / 2 && mass > 1 - CUT_TAIL)
    throw new RemoteError(
      'refused',
      `the server's log-probabilities are those of a distribution that a filter has cut to ${tokens.length} tokens: have it tell raw ones (vLLM: --logprobs-mode raw_logprobs)`
    )
}

/** What a server answers; undefined where it refuses. */
async function accepted<Value>(ask: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (isRefusal(error)) return undefined
    throw error
  }
}

/** Whether it is the request's form that a server does not take. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof TransportError)) return false
  return error.fault === 'garbage' || [400, 404, 413, 422, 500, 501].includes(error.status ?? 0)
}

function knownIds({ tokens }: ToldPosition): number {
  return tokens.filter(({ id }) => id !== undefined).length
}

/** Largest difference of the log-probabilities that two positions both tell; ∞ where one is missing. */
function differenceOf(a: ToldPosition, b: ToldPosition | undefined): number {
  if (b === undefined) return Number.POSITIVE_INFINITY
  const values = new Map(a.tokens.map(({ id, logProbability }) => [id, logProbability]))
  let difference = 0
  for (const { id, logProbability } of b.tokens) {
    const other = id === undefined ? undefined : values.get(id)
    if (other !== undefined && other > -COMPARED_NATS)
      difference = Math.max(difference, Math.abs(other - logProbability))
  }
  return difference
}
