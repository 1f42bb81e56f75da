import { z } from 'zod'
import { alpacaPrompt } from './alpaca-prompt.ts'
import { conversation, MASK_CURE, MASK_KEYS, parseMessages } from './chat-messages.ts'
import type { ExampleContent } from './example.ts'

/** The known record formats. */
export const RECORD_FORMATS = ['text', 'alpaca', 'dolly', 'sharegpt', 'messages', 'completion'] as const
export type RecordFormat = (typeof RECORD_FORMATS)[number]

type Fields = Readonly<Record<string, unknown>>

interface Format {
  /** The keys that identify the format, all of them required. */
  readonly keys: readonly string[]
  /** All keys that are read. */
  readonly reads: readonly string[]
  /** @throws {z.ZodError | Error} when the record does not match */
  parse(record: unknown, onUnread: (key: string) => void): ExampleContent
  /** Whether its `text` column, if present, is the same record rendered as a prompt. */
  isWritten?(record: Fields, text: string): boolean
}

const filled = z.string().refine((text) => text.trim() !== '', 'must not be empty')
const optional = z
  .string()
  .nullish()
  .transform((text) => text ?? '')

const textSchema = z.looseObject({ text: filled })
const alpacaSchema = z.looseObject({ instruction: filled, input: optional, output: filled })
const dollySchema = z.looseObject({ instruction: filled, context: optional, response: filled })
const completionSchema = z.looseObject({ prompt: z.string(), completion: filled })

/** Keys that chats may have besides their messages. */
const CHAT_KEYS = ['system', 'tools']

const includes = (text: string, part: unknown): boolean =>
  typeof part === 'string' && text.includes(part.trim())

const FORMATS: Readonly<Record<RecordFormat, Format>> = {
  text: {
    keys: ['text'],
    reads: ['text'],
    parse: (record) => ({ kind: 'text', text: textSchema.parse(record).text })
  },
  alpaca: {
    keys: ['instruction', 'output'],
    reads: ['instruction', 'input', 'output'],
    parse: (record) => {
      const { instruction, input, output } = alpacaSchema.parse(record)
      return { kind: 'completion', prompt: alpacaPrompt(instruction, input), completion: output }
    },
    isWritten: ({ output }, text) => includes(text, output)
  },
  dolly: {
    keys: ['instruction', 'response'],
    reads: ['instruction', 'context', 'response'],
    parse: (record) => {
      const { instruction, context, response } = dollySchema.parse(record)
      return { kind: 'completion', prompt: alpacaPrompt(instruction, context), completion: response }
    },
    isWritten: ({ response }, text) => includes(text, response)
  },
  sharegpt: {
    keys: ['conversations'],
    reads: ['conversations', ...CHAT_KEYS],
    parse: (record, onUnread) => {
      const { conversations, system, tools } = fieldsOf(record)
      return conversation(parseMessages(conversations, 'conversations', onUnread), { system, tools })
    }
  },
  messages: {
    keys: ['messages'],
    reads: ['messages', ...CHAT_KEYS],
    parse: (record, onUnread) => {
      const { messages, system, tools } = fieldsOf(record)
      return conversation(parseMessages(messages, 'messages', onUnread), { system, tools })
    }
  },
  completion: {
    keys: ['prompt', 'completion'],
    reads: ['prompt', 'completion'],
    parse: (record, onUnread) => {
      const { prompt, completion, tools } = fieldsOf(record)
      if (Array.isArray(prompt) && Array.isArray(completion)) {
        const before = parseMessages(prompt, 'prompt', onUnread)
        const after = parseMessages(completion, 'completion', onUnread)
        const read = before.map((message) => ({ ...message, isLearned: false }))
        if (!after.some(({ role }) => role === 'assistant'))
          throw new Error('"completion": has no assistant message to learn from')
        return conversation([...read, ...after], { tools })
      }
      const parsed = completionSchema.parse(record)
      return { kind: 'completion', prompt: parsed.prompt, completion: parsed.completion }
    },
    isWritten: ({ completion }, text) => includes(text, completion)
  }
}

const PREFERENCES =
  'preference pairs are not supported: to learn the chosen answer alone, put it into a template'

/** Unsupported keys that change the meaning of a record, with what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  system: 'write the record as "messages" with a system message',
  system_prompt: 'write it as "system" beside "messages"',
  system_message: 'write it as "system" beside "messages"',
  history: 'write the record as "messages", the earlier turns first',
  tools: 'write the record as "messages"',
  functions: 'write them as "tools", OpenAI\'s current form',
  documents: 'write them into a message',
  chosen: PREFERENCES,
  rejected: PREFERENCES,
  images: 'only text is supported',
  image: 'only text is supported',
  videos: 'only text is supported',
  audios: 'only text is supported',
  chat_template_kwargs: 'put its content into a template of your own, with --chat-template',
  ...Object.fromEntries(MASK_KEYS.map((key) => [key, MASK_CURE]))
}
/**
 * Keys that say whether to learn a whole record: KTO's, LLaMA-Factory's, OpenAI's and Axolotl's, and those that messages
 * have, too.
 */
const LEARNED_KEYS = ['label', 'kto_tag', 'weight', 'train', 'trainable', 'learn', 'loss']

/** The formats whose keys are all in a record. */
export function fittingFormats(record: unknown): RecordFormat[] {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return []
  return RECORD_FORMATS.filter((name) => FORMATS[name].keys.every((key) => key in record))
}

/**
 * The format whose keys are all in a record; undefined if there is none. A `text` that merely renders the rest of the
 * record as a prompt is ignored.
 *
 * @throws {Error} when several match
 */
export function detectFormat(record: unknown): RecordFormat | undefined {
  const fitting = fittingFormats(record)
  const [first, second] = fitting
  if (second === undefined) return first
  const { text } = record as { text?: unknown }
  const others = fitting.filter((name) => name !== 'text')
  const [other] = others
  if (others.length === 1 && typeof text === 'string')
    if (FORMATS[other!].isWritten?.(record as Fields, text) === true) return other
  throw new Error(`several formats match, ${fitting.join(' and ')}: choose one with --format`)
}

/** The keys that records of a format must have. */
export function formatKeys(format: RecordFormat): readonly string[] {
  return FORMATS[format].keys
}

/** The result of reading a record. */
export interface ParsedRecord {
  readonly content: ExampleContent
  /** False if the record itself says not to learn it. */
  readonly isLearned: boolean
  /** Its unused keys; those of messages as `messages[].key`. */
  readonly unread: readonly string[]
}

/**
 * Reads a record in a format.
 *
 * @throws {z.ZodError | Error} when it does not match, or has an unsupported key that changes its meaning
 */
export function parseRecord(format: RecordFormat, record: unknown): ParsedRecord {
  const { reads, parse } = FORMATS[format]
  const fields = fieldsOf(record)
  const unread: string[] = []
  const content = parse(record, (key) => unread.push(key))
  // A plain text is learned whatever else its record says; its label is a class, not a verdict.
  const marks = format === 'text' ? LEARNED_KEYS.filter((key) => key !== 'label') : LEARNED_KEYS
  const isLearned = isToBeLearned(fields, marks)
  for (const [key, value] of Object.entries(fields)) {
    if (reads.includes(key) || isEmpty(value)) continue
    // A conversation in TRL's format has tools beside it, too.
    if (key === 'tools' && content.kind === 'chat') continue
    const advice = REFUSED[key]
    if (advice !== undefined && format !== 'text')
      throw new Error(`"${key}" is not supported in ${format} records: ${advice}`)
    // A loss that was measured is only a note.
    if (!marks.includes(key) || (key === 'loss' && typeof value === 'number')) unread.push(key)
  }
  return { content, isLearned, unread }
}

/** Whether to learn a record according to its own keys. A label that is a string is a class. */
function isToBeLearned(fields: Fields, marks: readonly string[]): boolean {
  return marks.every((key) => {
    const value = fields[key]
    if (value == null) return true
    if (value === false || /^false$/i.test(String(value))) return false
    if (key === 'label' && 'completion' in fields && (value === 0 || value === 1))
      throw new Error(
        `"label": ${value} may be a class, or a verdict on the completion: write true or false for a verdict, and give a class another key`
      )
    if ((key === 'loss' || key === 'learn' || key === 'trainable') && value === 0) return false
    if (key !== 'weight' || value === true) return true
    if (Number(value) === 0) return false
    if (Number(value) === 1) return true
    throw new Error(`"weight": ${JSON.stringify(value)} is not supported: only 0 and 1 are`)
  })
}

/** Whether a value is empty: null, an empty string, an empty list. */
function isEmpty(value: unknown): boolean {
  return value == null || value === '' || (Array.isArray(value) && value.length === 0)
}

function fieldsOf(record: unknown): Fields {
  return typeof record === 'object' && record !== null && !Array.isArray(record) ? (record as Fields) : {}
}
