import type { MadeToken, TextEnd, TextSource } from './text-source.ts'

/** Token counts of a request. */
export interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
}

/** A text as it appears in an answer. */
export interface WholeChoice {
  readonly index: number
  readonly text: string
  readonly tokens: readonly MadeToken[]
  readonly reason: TextEnd
  /** Whether every token is certain to be the one that the distribution and the seed determine. */
  readonly exact: boolean
}

/** Formats the answer to one request, either as a whole or in chunks. Each is a JSON object. */
export interface AnswerFormat {
  whole(choices: readonly WholeChoice[], usage: Usage): object
  /** A choice begins. */
  begin(index: number): object | undefined
  piece(index: number, text: string, tokens: readonly MadeToken[]): object
  /** A choice is complete. */
  end(choice: Pick<WholeChoice, 'index' | 'reason' | 'exact'>): object
  /** The last chunk, if requested. */
  usage(usage: Usage): object
}

/** Fields shared by all answers to a request. */
export interface AnswerHead {
  readonly id: string
  /** Seconds since 1970. */
  readonly created: number
  readonly source: Pick<TextSource, 'name' | 'fingerprint' | 'tokens'>
  /** Whether log-probabilities are returned. */
  readonly logProbabilities: boolean
  /** Whether chunks have a `usage` field. */
  readonly includeUsage: boolean
}

const NO_LOG_PROBABILITY = -9999

/** Answers to Chat Completions. */
export function chatFormat({
  id,
  created,
  source,
  logProbabilities,
  includeUsage
}: AnswerHead): AnswerFormat {
  const head = { created, model: source.name, system_fingerprint: source.fingerprint }
  const chunk = (choices: readonly object[], usage: Usage | null = null): object => ({
    id,
    object: 'chat.completion.chunk',
    ...head,
    choices,
    ...(includeUsage && { usage })
  })
  const logprobs = (tokens: readonly MadeToken[]): object | null =>
    logProbabilities && areKnown(tokens)
      ? { content: tokens.map((token) => chatLogProbability(source, token)), refusal: null }
      : null
  return {
    whole: (choices, usage) => ({
      id,
      object: 'chat.completion',
      ...head,
      choices: choices.map(({ index, text, tokens, reason, exact }) => ({
        index,
        message: { role: 'assistant', content: text, refusal: null },
        logprobs: logprobs(tokens),
        finish_reason: reason,
        exact
      })),
      usage
    }),
    begin: (index) =>
      chunk([{ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }]),
    piece: (index, text, tokens) =>
      chunk([{ index, delta: { content: text }, logprobs: logprobs(tokens), finish_reason: null }]),
    end: ({ index, reason, exact }) =>
      chunk([{ index, delta: {}, logprobs: null, finish_reason: reason, exact }]),
    usage: (usage) => chunk([], usage)
  }
}

/** Answers to Completions. */
export function completionFormat(head: AnswerHead): AnswerFormat {
  const { source, logProbabilities, includeUsage } = head
  const answer = (choices: readonly object[]): object => ({
    id: head.id,
    object: 'text_completion',
    created: head.created,
    model: source.name,
    system_fingerprint: source.fingerprint,
    choices
  })
  const chunk = (choices: readonly object[], usage: Usage | null = null): object => ({
    ...answer(choices),
    ...(includeUsage && { usage })
  })
  /** Characters sent of each choice. */
  const sent = new Map<number, number>()
  const logprobs = (index: number, text: string, tokens: readonly MadeToken[]): object | null => {
    const offset = sent.get(index) ?? 0
    sent.set(index, offset + text.length)
    return logProbabilities && areKnown(tokens) ? completionLogProbabilities(source, tokens, offset) : null
  }
  return {
    whole: (choices, usage) => ({
      ...answer(
        choices.map(({ index, text, tokens, reason, exact }) => ({
          index,
          text,
          logprobs: logprobs(index, text, tokens),
          finish_reason: reason,
          exact
        }))
      ),
      usage
    }),
    begin: () => undefined,
    piece: (index, text, tokens) =>
      chunk([{ index, text, logprobs: logprobs(index, text, tokens), finish_reason: null }]),
    end: ({ index, reason, exact }) =>
      chunk([{ index, text: '', logprobs: null, finish_reason: reason, exact }]),
    usage: (usage) => chunk([], usage)
  }
}

/** Whether all log-probabilities are known. With only some, a client could not tell which tokens they belong to. */
function areKnown(tokens: readonly MadeToken[]): boolean {
  return tokens.every(({ logProbability }) => logProbability !== undefined)
}

type Tokens = Pick<TextSource, 'tokens'>

/** A token's text; bytes of an incomplete character appear as U+FFFD. */
function textOf({ tokens }: Tokens, id: number): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(tokens[id])
}

/** JSON has no −∞. */
function finite(logProbability: number): number {
  return Math.max(logProbability, NO_LOG_PROBABILITY)
}

function chatLogProbability(source: Tokens, { id, logProbability, mostLikely = [] }: MadeToken): object {
  const entry = (token: number, value: number): object => ({
    token: textOf(source, token),
    logprob: finite(value),
    bytes: [...(source.tokens[token] ?? [])]
  })
  return {
    ...entry(id, logProbability!),
    top_logprobs: mostLikely.map((other) => entry(other.id, other.logProbability))
  }
}

function completionLogProbabilities(source: Tokens, tokens: readonly MadeToken[], offset: number): object {
  const texts = tokens.map(({ id }) => textOf(source, id))
  let at = offset
  const offsets = texts.map((text) => {
    const own = at
    at += text.length
    return own
  })
  return {
    tokens: texts,
    token_logprobs: tokens.map(({ logProbability }) => finite(logProbability!)),
    top_logprobs: tokens.map(({ mostLikely = [] }) =>
      Object.fromEntries(
        mostLikely.map(({ id, logProbability }) => [textOf(source, id), finite(logProbability)])
      )
    ),
    text_offset: offsets
  }
}
