import type { TextTokenizer } from '../text/text-tokenizer.ts'
import { type ChatMessage, DataError, type TrainingExample } from './example.ts'

/** Tokens of an example and which of them are learned. */
export interface TokenizedExample {
  readonly ids: Int32Array
  /** 1 where the token is a target to learn, 0 where it is only read; the first token is never a target. */
  readonly weights: Uint8Array
}

/** A conversation as text; `addGenerationPrompt` appends what an answer begins with. */
export type RenderChat = (
  messages: readonly ChatMessage[],
  options: { addGenerationPrompt: boolean }
) => string

/** How examples become tokens. */
export interface TokenizeExampleOptions {
  readonly tokenizer: TextTokenizer
  /** `completions`: prompts are read but not learned. `all`: every token is. */
  readonly loss: 'completions' | 'all'
  /** The tokenizer's chat template; without it conversations are refused. */
  readonly renderChat?: RenderChat
}

/** A text and the parts of it that are learned, as [start, end) in characters, in order. */
interface MarkedText {
  readonly text: string
  readonly learned: readonly (readonly [number, number])[]
  /** Whether the text brings its own special tokens, as chat templates do. */
  readonly templated: boolean
}

/**
 * Tokens of one example: BOS before it where the tokenizer has one and the text does not begin with it, EOS behind a
 * completion. A conversation is one example, or one for each answer where the template shows earlier turns otherwise
 * later on.
 *
 * @throws {DataError} naming the example's place, when there is no chat template or it fails
 */
export function tokenizeExample(
  example: TrainingExample,
  options: TokenizeExampleOptions
): TokenizedExample[] {
  return markTexts(example, options).map((marked) => tokenize(marked, options))
}

function markTexts({ content, source }: TrainingExample, options: TokenizeExampleOptions): MarkedText[] {
  if (content.kind === 'text')
    return [{ text: content.text, learned: [[0, content.text.length]], templated: false }]
  if (content.kind === 'completion') {
    const text = content.prompt + content.completion
    return [{ text, learned: [[content.prompt.length, text.length]], templated: false }]
  }
  const { renderChat } = options
  if (renderChat === undefined)
    throw new DataError(
      `${source}: conversations need a chat template, and the model has none: ` +
        'set one with --chat-template (a file, or chatml)'
    )
  try {
    return markAnswers(content.messages, renderChat)
  } catch (error) {
    if (error instanceof DataError) throw error
    throw new DataError(
      `${source}: the chat template failed: ${error instanceof Error ? error.message : error}`
    )
  }
}

/** An answer is what the conversation up to it has more than the conversation before it and the answer's beginning. */
function markAnswers(messages: readonly ChatMessage[], render: RenderChat): MarkedText[] {
  const answers = messages.flatMap(({ role }, index) => {
    if (role !== 'assistant') return []
    const before = render(messages.slice(0, index), { addGenerationPrompt: true })
    const after = render(messages.slice(0, index + 1), { addGenerationPrompt: false })
    if (!after.startsWith(before))
      throw new Error('a conversation with its answer does not begin like the one without it')
    return [{ before, after }]
  })
  const text = render(messages, { addGenerationPrompt: false })
  const consistent = answers.every(({ after }) => text.startsWith(after))
  const span = ({ before, after }: { before: string; after: string }) =>
    [before.length, after.length] as const
  if (consistent) return [{ text, learned: answers.map(span), templated: true }]
  return answers.map((answer) => ({ text: answer.after, learned: [span(answer)], templated: true }))
}

function tokenize(
  { text, learned, templated }: MarkedText,
  options: TokenizeExampleOptions
): TokenizedExample {
  const { tokenizer, loss } = options
  const { bosId, eosId } = tokenizer
  const body = tokenizer.encode(text)
  const weights: number[] = body.map(() => (loss === 'all' ? 1 : 0))
  if (loss === 'completions') {
    for (const [start, end] of learned) weights.fill(1, tokensUpTo(start), tokensUpTo(end))
  }
  const ids = [...body]
  if (bosId !== undefined && !(templated && ids[0] === bosId)) {
    ids.unshift(bosId)
    weights.unshift(0)
  }
  // A text may be cut anywhere and end nowhere; a completion ends where its author stopped.
  const complete = learned.some(([start]) => start > 0) && !templated
  if (complete && eosId !== undefined && ids.at(-1) !== eosId) {
    ids.push(eosId)
    weights.push(1)
  }
  weights[0] = 0
  return { ids: Int32Array.from(ids), weights: Uint8Array.from(weights) }

  /** Tokens that lie wholly before character `end`: those that the text up to there shares with the whole. */
  function tokensUpTo(end: number): number {
    if (end === text.length) return body.length
    const part = tokenizer.encode(text.slice(0, end))
    const differs = part.findIndex((id, index) => id !== body[index])
    return differs === -1 ? part.length : differs
  }
}
