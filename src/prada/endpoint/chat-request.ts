import { z } from 'zod'
import { refusal } from './endpoint-error.ts'
import { COMMON_KEYS, HARMLESS_KEYS, readBody } from './request-keys.ts'
import { promptTokens, requireShort, type TextPlan, textPlan } from './text-plan.ts'
import type { TextSource } from './text-source.ts'

/** Roles by the names that templates use. */
const ROLES: Readonly<Record<string, string>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant'
}
const ROLE_NAMES = Object.keys(ROLES).join(', ')

const message = z.strictObject({
  role: z.string(),
  // Checked by hand, since errors of a union do not name the failing part.
  content: z.unknown().optional(),
  name: z.unknown().optional(),
  refusal: z.null('only text messages are supported: leave it out').nullish(),
  tool_calls: z.array(z.unknown()).max(0, 'tools are not supported: leave them out').nullish(),
  function_call: z.null('tools are not supported: leave it out').nullish(),
  audio: z.null('only text input is supported').nullish(),
  annotations: z.array(z.unknown()).max(0, 'only text input is supported').nullish()
})

const schema = z.strictObject({
  ...COMMON_KEYS,
  ...HARMLESS_KEYS,
  messages: z.array(message).min(1),
  max_completion_tokens: z.int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish()
})

/**
 * Converts a Chat Completions request into a plan.
 *
 * @throws {EndpointError} 400
 */
export function readChatRequest(source: TextSource, body: unknown): TextPlan {
  const request = readBody(schema, body)
  const { max_tokens: older, max_completion_tokens: newer, top_logprobs: alternatives } = request
  if (older != null && newer != null && older !== newer)
    throw refusal(
      'max_tokens',
      `max_tokens: ${older}, but max_completion_tokens is ${newer}: set only one of them`
    )
  if (alternatives != null && request.logprobs !== true)
    throw refusal('top_logprobs', 'top_logprobs: requires logprobs: true')
  return textPlan(source, request, {
    promptParam: 'messages',
    prompts: [chatTokens(source, request.messages)],
    maxTokens: newer ?? older ?? undefined,
    alternatives: request.logprobs === true ? (alternatives ?? 0) : undefined
  })
}

function chatTokens(source: TextSource, messages: readonly z.infer<typeof message>[]): number[] {
  const { renderChat } = source
  if (renderChat === undefined)
    throw refusal(
      'messages',
      'messages: the model has no chat template: use /v1/completions, or start the server with --chat-template'
    )
  const turns = messages.map(({ role, content, name }, index) => {
    const known = ROLES[role]
    if (known === undefined)
      throw refusal(
        `messages.${index}.role`,
        `messages.${index}.role: ${JSON.stringify(role.slice(0, 40))} is not supported, only ${ROLE_NAMES}`
      )
    if (name != null)
      throw refusal(
        `messages.${index}.name`,
        `messages.${index}.name: names are not passed to the model: leave it out`
      )
    return { role: known, content: contentText(content, `messages.${index}.content`) }
  })
  // Checked before rendering, which is slow.
  requireShort(source, turns.map(({ content }) => content).join('\n'), 'messages')
  return promptTokens(source, rendered(source, turns), 'messages')
}

function rendered(
  { renderChat }: TextSource,
  turns: readonly { readonly role: string; readonly content: string }[]
): string {
  try {
    return renderChat!(turns, { addGenerationPrompt: true })
  } catch (error) {
    // Templates reject conversations that they do not support, such as two consecutive turns of one role.
    throw refusal('messages', `messages: the model's chat template rejects them: ${(error as Error).message}`)
  }
}

const textPart = z.strictObject({ type: z.literal('text'), text: z.string() })

/** A message's text: a string, or the texts of its parts concatenated. */
function contentText(content: unknown, param: string): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw refusal(param, `${param}: must be a string or a list of text parts`)
  return content
    .map((part: unknown, index) => {
      const parsed = textPart.safeParse(part)
      if (parsed.success) return parsed.data.text
      const type = (part as { type?: unknown } | null)?.type
      const what =
        typeof type === 'string' ? `a part of type ${JSON.stringify(type.slice(0, 40))}` : 'this part'
      throw refusal(
        `${param}.${index}`,
        `${param}.${index}: ${what} is not supported, only { "type": "text", "text" }`
      )
    })
    .join('')
}
