import { z } from 'zod'
import { alpacaPrompt } from './alpaca-prompt.ts'
import type { ChatMessage, ExampleContent } from './example.ts'

/** The shapes of records that are known. */
export const RECORD_FORMATS = ['text', 'alpaca', 'dolly', 'sharegpt', 'messages', 'completion'] as const
export type RecordFormat = (typeof RECORD_FORMATS)[number]

interface Format {
  /** The keys that tell it, all of which a record has. */
  readonly keys: readonly string[]
  /** @throws {z.ZodError | Error} when the record does not fit */
  parse(record: unknown): ExampleContent
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
const messageSchema = z.looseObject({ role: filled, content: z.string() })
const messagesSchema = z.looseObject({ messages: z.array(messageSchema).min(1) })
const shareGptSchema = z.looseObject({
  conversations: z.array(z.looseObject({ from: filled, value: z.string() })).min(1)
})

/** Who speaks, by the names that ShareGPT's exports use. */
const SHAREGPT_ROLES: Readonly<Record<string, string>> = {
  human: 'user',
  user: 'user',
  gpt: 'assistant',
  chatgpt: 'assistant',
  assistant: 'assistant',
  model: 'assistant',
  system: 'system'
}

const FORMATS: Readonly<Record<RecordFormat, Format>> = {
  text: { keys: ['text'], parse: (record) => ({ kind: 'text', text: textSchema.parse(record).text }) },
  alpaca: {
    keys: ['instruction', 'output'],
    parse: (record) => {
      const { instruction, input, output } = alpacaSchema.parse(record)
      return { kind: 'completion', prompt: alpacaPrompt(instruction, input), completion: output }
    }
  },
  dolly: {
    keys: ['instruction', 'response'],
    parse: (record) => {
      const { instruction, context, response } = dollySchema.parse(record)
      return { kind: 'completion', prompt: alpacaPrompt(instruction, context), completion: response }
    }
  },
  sharegpt: {
    keys: ['conversations'],
    parse: (record) => {
      const { conversations } = shareGptSchema.parse(record)
      return chat(
        conversations.map(({ from, value }) => ({
          role: SHAREGPT_ROLES[from.toLowerCase()] ?? from,
          content: value
        }))
      )
    }
  },
  messages: { keys: ['messages'], parse: (record) => chat(messagesSchema.parse(record).messages) },
  completion: {
    keys: ['prompt', 'completion'],
    parse: (record) => {
      const { prompt, completion } = completionSchema.parse(record)
      return { kind: 'completion', prompt, completion }
    }
  }
}

function chat(messages: readonly ChatMessage[]): ExampleContent {
  const answered = messages.some(({ role, content }) => role === 'assistant' && content !== '')
  if (answered) return { kind: 'chat', messages: messages.map(({ role, content }) => ({ role, content })) }
  throw new Error('has no answer of an assistant to learn from')
}

/** The format whose keys a record has; undefined where it is none of them. */
export function detectFormat(record: unknown): RecordFormat | undefined {
  if (typeof record !== 'object' || record === null) return undefined
  return RECORD_FORMATS.find((name) => FORMATS[name].keys.every((key) => key in record))
}

/** The keys that records of a format must have. */
export function formatKeys(format: RecordFormat): readonly string[] {
  return FORMATS[format].keys
}

/**
 * What a record says in a format.
 *
 * @throws {z.ZodError | Error} when it does not fit
 */
export function parseRecord(format: RecordFormat, record: unknown): ExampleContent {
  return FORMATS[format].parse(record)
}
