import { type TextTokenizer, textPrefix } from '../text/text-tokenizer.ts'
import { DataError, type TrainingExample } from './example.ts'
import { type LeftOut, type RenderChat, renderConversation } from './render-conversation.ts'

export type { RenderChat } from './render-conversation.ts'

/** Tokens of an example, and which of them are learned. */
export interface TokenizedExample {
  readonly ids: Int32Array
  /** 1 for a token to learn, 0 for one that is only context; the first token is never a target. */
  readonly weights: Uint8Array
}

/** How examples are tokenized. */
export interface TokenizeExampleOptions {
  readonly tokenizer: TextTokenizer
  /** `completions`: prompts are context but not learned. `all`: every token is learned. */
  readonly loss: 'completions' | 'all'
  /** The tokenizer's chat template; conversations are refused without one. */
  readonly renderChat?: RenderChat
  /** Receives notes on parts of an example that may not be treated as its author expects. */
  onNote?(note: TokenizeNote): void
}

/**
 * A note on an example: parts that the template leaves out, special tokens inside a text, a conversation without the
 * token that other texts begin with, U+FFFD in the place of characters that another program could not read.
 */
export type TokenizeNote = LeftOut | 'special tokens' | 'no beginning' | 'replaced characters'

const REPLACEMENT = '\ufffd'

/** A text and its learned parts, as [start, end) in characters, in order. */
interface MarkedText {
  readonly text: string
  readonly learned: readonly (readonly [number, number])[]
  /** Whether the text contains its own special tokens, as rendered chat templates do. */
  readonly templated: boolean
  /** Whether it ends where its author ended it; a plain text may be cut anywhere. */
  readonly isWhole: boolean
}

/**
 * Tokens of one example: the tokenizer's prefix, unless a template has written it already, and EOS after a completion.
 * A conversation is one example, or one per answer if the template renders earlier turns differently later on.
 *
 * @throws {DataError} naming the example's place, when the chat template is missing or fails
 */
export function tokenizeExample(
  example: TrainingExample,
  options: TokenizeExampleOptions
): TokenizedExample[] {
  return markTexts(example, options).map((marked) => tokenize(marked, options))
}

function markTexts({ content, source }: TrainingExample, options: TokenizeExampleOptions): MarkedText[] {
  if (content.kind === 'text')
    return [{ text: content.text, learned: [[0, content.text.length]], templated: false, isWhole: false }]
  if (content.kind === 'completion') {
    const text = content.prompt + content.completion
    return [{ text, learned: [[content.prompt.length, text.length]], templated: false, isWhole: true }]
  }
  const { renderChat, onNote } = options
  if (renderChat === undefined)
    throw new DataError(
      `${source}: conversations need a chat template, and the model has none: ` +
        'set one with --chat-template (a file, or chatml)'
    )
  const { tokenizer } = options
  if (content.messages.some((message) => hasSpecialToken(message.content ?? '', tokenizer)))
    onNote?.('special tokens')
  try {
    const rendered = renderConversation(content, renderChat, onNote)
    return rendered.map((marked) => ({ ...marked, templated: true, isWhole: false }))
  } catch (error) {
    if (error instanceof DataError) throw error
    throw new DataError(
      `${source}: the chat template failed: ${error instanceof Error ? error.message : error}`
    )
  }
}

/**
 * Whether a message contains a special token written out, which ends turns and the like wherever it stands. Most contain
 * none of the names, and are not tokenized for it.
 */
function hasSpecialToken(text: string, { specialIds, tokenName, encode }: TextTokenizer): boolean {
  if (text === '' || specialIds === undefined || specialIds.size === 0) return false
  const names = [...specialIds].map((id) => tokenName?.(id))
  if (names.every((name) => name !== undefined && !text.includes(name))) return false
  return encode(text).some((id) => specialIds.has(id))
}

function tokenize(
  { text, learned, templated, isWhole }: MarkedText,
  options: TokenizeExampleOptions
): TokenizedExample {
  const { tokenizer, loss, onNote } = options
  const { eosId, specialIds, suffix = [] } = tokenizer
  const body = tokenizer.encode(text)
  if (!templated && specialIds && body.some((id) => specialIds.has(id))) onNote?.('special tokens')
  if (text.includes(REPLACEMENT)) onNote?.('replaced characters')
  const weights: number[] = body.map(() => (loss === 'all' ? 1 : 0))
  if (loss === 'completions') {
    for (const [start, end] of learned) weights.fill(1, tokensUpTo(start), tokensUpTo(end))
  }
  const prefix = textPrefix(tokenizer)
  if (templated && prefix.some((id, index) => body[index] !== id)) onNote?.('no beginning')
  const ids = templated ? body : [...prefix, ...body]
  const added = ids.length - body.length
  weights.unshift(...Array.from({ length: added }, () => 0))
  const end = templated ? [] : isWhole && eosId !== undefined ? [eosId] : suffix
  if (end.some((id, index) => ids.at(index - end.length) !== id)) {
    ids.push(...end)
    weights.push(...end.map(() => 1))
  }
  weights[0] = 0
  return { ids: Int32Array.from(ids), weights: Uint8Array.from(weights) }

  /** Number of tokens that lie wholly before character `end`: those that the text up to there shares with the whole. */
  function tokensUpTo(end: number): number {
    if (end === text.length) return body.length
    const part = tokenizer.encode(text.slice(0, end))
    const differs = part.findIndex((id, index) => id !== body[index])
    return differs === -1 ? part.length : differs
  }
}
