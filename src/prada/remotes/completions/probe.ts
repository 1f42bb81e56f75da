import type { Vocabulary } from '../../core/index.ts'
import { TransportError } from '../logits-transport.ts'
import { RemoteError } from '../remote.ts'
import type { Completion, CompletionRequest, CompletionsApi, Prompt } from './completions-api.ts'
import type { ReportedPosition } from './reported-position.ts'
import type { TokenNames } from './token-names.ts'

/** Properties of a server, found by a few small requests. */
export interface ServerTraits {
  /** Supported parameters beyond OpenAI's. */
  readonly extras: Readonly<Record<string, unknown>>
  /** Whether prompts may be ids; otherwise the server tokenizes the text. */
  readonly takesIds: boolean
  /** Whether it accepts several prompts per request. */
  readonly takesLists: boolean
  /** Number of tokens added before a prompt: 1 if it adds BOS; undefined if not reported. */
  readonly added: number | undefined
  /** Maximum number of log-probabilities per position. */
  readonly topKMax: number
  /** Whether it returns whole rows. */
  readonly rows: boolean
  /** Whether log-probabilities are unchanged at temperature 0, so that it can draft greedily. */
  readonly draftsGreedily: boolean
  /** Largest difference of a log-probability between two answers, nats. */
  readonly batchError: number
  readonly identity: string
}

/** Parameters that disable the server's own changes to a distribution, and keep drafts from ending early. */
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
/** Vocabulary size up to which whole rows are requested, if the server returns them. */
const WHOLE_ROWS_MAX = 4_096
/** Limits on log-probabilities of known servers, and higher ones. */
const TOP_K_TRIED = [1_024, 64, 20, 10, 5]
/** A difference between answers that a few comparisons may miss. */
const BATCH_ERROR_MIN = 2 ** -10
/** Safety factor: a few comparisons are a sample, and the true maximum may be several times as large. */
const BATCH_ERROR_FACTOR = 4
/** Only values within this distance of the highest, which could win, are compared, nats. */
const COMPARED_NATS = 16
/** A first token is never this certain. If less than this remains, a filter has truncated the distribution. */
const CUT_TAIL = 1e-4

/**
 * Probes what a server accepts and returns.
 *
 * @throws {RemoteError} `refused` if it does not return what is needed
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
  const { reported, topKMax } = await largestAnswer(tried, (topK) => ask(1, topK))
  requireUncut(reported, topKMax, size)
  const topK = Math.min(topKMax, 20)
  const greedy = await accepted(() => ask(0, topK))
  const added = first.promptTokens === undefined ? undefined : first.promptTokens - ids.length
  // For several prompts it does not report how many tokens each has, so it must be known to add none.
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
    rows: topKMax >= size && !reported.incomplete && knownIds(reported) >= size,
    draftsGreedily: greedy !== undefined && differenceOf(reported, greedy.choices[0]?.[0]) < COMPARED_SAME,
    batchError: Math.max(BATCH_ERROR_MIN, BATCH_ERROR_FACTOR * (difference ?? 0)),
    identity: first.identity
  }
}

/** Prompts of several lengths, sent one by one and together to compare the distributions. */
const COMPARED_LENGTHS = [9, 17, 33]

function comparedPrompts({ tokens }: Vocabulary): number[][] {
  const ids = [...tokens.keys()].filter((id) => tokens[id] !== undefined)
  return COMPARED_LENGTHS.map((length) =>
    Array.from({ length }, (_, place) => ids[(place * 7_919) % ids.length]!)
  )
}

/**
 * Largest difference between the answers to prompts sent one by one and together, nats; ∞ if an answer does not
 * correspond.
 */
async function differenceOfLists(
  prompts: readonly (readonly number[])[],
  ask: (prompt: CompletionRequest['prompt']) => Promise<Completion>
): Promise<number> {
  const together = await ask(prompts)
  let largest = 0
  for (const [index, prompt] of prompts.entries()) {
    const [alone, listed] = [(await ask(prompt)).choices[0]?.[0], together.choices[index]?.[0]]
    // A missing token gives no comparison.
    if (alone !== undefined && listed !== undefined) largest = Math.max(largest, differenceOf(alone, listed))
  }
  return largest
}

/** Tolerance within which log-probabilities come from the same distribution. */
const COMPARED_SAME = 0.01

/** A token that is a word, so that a server reads its text as that single token. */
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

/** The maximum number of log-probabilities returned. */
async function largestAnswer(
  tried: readonly number[],
  ask: (topK: number) => Promise<Completion>
): Promise<{ reported: ReportedPosition; topKMax: number }> {
  for (const topK of tried) {
    const answer = await accepted(() => ask(topK))
    const reported = answer?.choices[0]?.[0]
    if (reported === undefined) continue
    const count = reported.incomplete ? topK : Math.min(topK, reported.tokens.length)
    return { reported, topKMax: Math.max(1, count) }
  }
  throw new RemoteError(
    'refused',
    'the server returns no log-probabilities of the most likely tokens: enable them there (llama-cpp-python: --logits_all true)'
  )
}

function requireUncut({ tokens }: ReportedPosition, topKMax: number, size: number): void {
  const mass = tokens.reduce((sum, { logProbability }) => sum + Math.exp(logProbability), 0)
  if (topKMax < size / 2 && mass > 1 - CUT_TAIL)
    throw new RemoteError(
      'refused',
      `a filter on the server has truncated the distribution to ${tokens.length} tokens: configure it to return raw log-probabilities (vLLM: --logprobs-mode raw_logprobs)`
    )
}

/** A server's answer; undefined if it rejects the request. */
async function accepted<Value>(ask: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (isRefusal(error)) return undefined
    throw error
  }
}

/** Whether the server rejected the form of the request. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof TransportError)) return false
  return error.fault === 'garbage' || [400, 404, 413, 422, 500, 501].includes(error.status ?? 0)
}

function knownIds({ tokens }: ReportedPosition): number {
  return tokens.filter(({ id }) => id !== undefined).length
}

/** Largest difference between log-probabilities reported for both positions; ∞ if a position is missing. */
function differenceOf(a: ReportedPosition, b: ReportedPosition | undefined): number {
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
