import { z } from 'zod'
import { alpacaPrompt } from './alpaca-prompt.ts'
import { conversation, parseMessages } from './chat-messages.ts'
import type { ExampleContent } from './example.ts'

/** The shapes of records that are known. */
export const RECORD_FORMATS = ['text', 'alpaca', 'dolly', 'sharegpt', 'messages', 'completion'] as const
export type RecordFormat = (typeof RECORD_FORMATS)[number]

type Fields = Readonly<Record<string, unknown>>

interface Format {
  /** The keys that tell it, all of which a record has. */
  readonly keys: readonly string[]
  /** All keys that are read. */
  readonly reads: readonly string[]
  /** @throws {z.ZodError | Error} when the record does not fit */
  parse(record: unknown, onUnread: (key: string) => void): ExampleContent
  /** Whether its `text` column, if it has one, is the same record put into a prompt. */
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

/** Keys that chats may have beside their messages. */
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
          throw new Error('"completion": has no answer of an assistant to learn from')
        return conversation([...read, ...after], { tools })
      }
      const parsed = completionSchema.parse(record)
      return { kind: 'completion', prompt: parsed.prompt, completion: parsed.completion }
    },
    isWritten: ({ completion }, text) => includes(text, completion)
  }
}

const PREFERENCES = 'preferences are not trained: to learn the chosen answer alone, put it into a template'

/** Keys that change what a record says and are not read, with what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  system: 'write the record as "messages" with a system message',
  history: 'write the record as "messages", the earlier turns first',
  tools: 'write the record as "messages"',
  functions: 'write them as "tools", as OpenAI does by now',
  documents: 'write them into a message',
  chosen: PREFERENCES,
  rejected: PREFERENCES,
  images: 'only text is read',
  image: 'only text is read',
  videos: 'only text is read',
  audios: 'only text is read',
  chat_template_kwargs: 'put what it says into a template of your own, with --chat-template'
}
/** Keys that say of a whole record whether it is to be learned: KTO's, LLaMA-Factory's, OpenAI's and Axolotl's. */
const LEARNED_KEYS = ['label', 'kto_tag', 'weight', 'train']

/** The formats whose keys a record has. */
export function fittingFormats(record: unknown): RecordFormat[] {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return []
  return RECORD_FORMATS.filter((name) => FORMATS[name].keys.every((key) => key in record))
}

/**
 * The format whose keys a record has; undefined where there is none. A `text` that is the rest of the record, written
 * into a prompt, does not count beside it.
 *
 * @throws {Error} when several fit
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
  throw new Error(`several formats fit, ${fitting.join(' and ')}: say which with --format`)
}

/** The keys that records of a format must have. */
export function formatKeys(format: RecordFormat): readonly string[] {
  return FORMATS[format].keys
}

/** What became of a record. */
export interface ParsedRecord {
  readonly content: ExampleContent
  /** False where the record itself says that it is not to be learned. */
  readonly isLearned: boolean
  /** Its keys that nothing reads; those of messages as `messages[].key`. */
  readonly unread: readonly string[]
}

/**
 * What a record says in a format.
 *
 * @throws {z.ZodError | Error} when it does not fit, or a key that changes what it says is not read
 */
export function parseRecord(format: RecordFormat, record: unknown): ParsedRecord {
  const { reads, parse } = FORMATS[format]
  const fields = fieldsOf(record)
  const unread: string[] = []
  const content = parse(record, (key) => unread.push(key))
  // A text is what it is, whatever else its record says; its label is a class, not a verdict.
  const marks = format === 'text' ? LEARNED_KEYS.filter((key) => key !== 'label') : LEARNED_KEYS
  const isLearned = isToBeLearned(fields, marks)
  for (const [key, value] of Object.entries(fields)) {
    if (reads.includes(key) || isEmpty(value)) continue
    // A conversation in TRL's shape has tools beside it, too.
    if (key === 'tools' && content.kind === 'chat') continue
    const advice = REFUSED[key]
    if (advice !== undefined && format !== 'text')
      throw new Error(`"${key}" is not read of ${format} records: ${advice}`)
    if (!marks.includes(key)) unread.push(key)
  }
  return { content, isLearned, unread }
}

/** Whether a record is to be learned, by its own marks. A label that is a text is a class. */
function isToBeLearned(fields: Fields, marks: readonly string[]): boolean {
  return marks.every((key) => {
    const value = fields[key]
    if (value == null) return true
    if (value === false || /^false$/i.test(String(value))) return false
    if (key === 'label' && 'completion' in fields && (value === 0 || value === 1))
      throw new Error(
        `"label": ${value} may be a class, or a verdict on the completion: write true or false for a verdict, and give a class another key`
      )
    if (key !== 'weight' || value === true) return true
    if (Number(value) === 0) return false
    if (Number(value) === 1) return true
    throw new Error(`"weight": ${JSON.stringify(value)} is not read: only 0 and 1 are`)
  })
}

/** What says nothing: null, an empty text, an empty list. */
function isEmpty(value: unknown): boolean {
  return value == null || value === '' || (Array.isArray(value) && value.length === 0)
}

function fieldsOf(record: unknown): Fields {
  return typeof record === 'object' && record !== null && !Array.isArray(record) ? (record as Fields) : {}
}
