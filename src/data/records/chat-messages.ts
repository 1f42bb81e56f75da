import type { ChatMessage, ExampleContent } from './example.ts'

/** Roles by the names in ShareGPT's exports and LLaMA-Factory. */
const SHAREGPT_ROLES: Readonly<Record<string, string>> = {
  human: 'user',
  user: 'user',
  gpt: 'assistant',
  chatgpt: 'assistant',
  assistant: 'assistant',
  model: 'assistant',
  system: 'system',
  tool: 'tool',
  observation: 'tool'
}
/** ShareGPT's role of an answer that calls a tool: the value is the call as JSON. */
const CALL_ROLE = 'function_call'

/** Message keys that chat templates read under these names. */
const TEMPLATE_KEYS = ['tool_calls', 'tool_call_id', 'name', 'reasoning_content', 'thinking']
/**
 * Message keys that say whether to learn the message: OpenAI's and ShareGPT's `weight`, Axolotl's `train`, ms-swift's `loss`,
 * `trainable` and `learn`.
 */
const LEARNED_KEYS = ['weight', 'train', 'loss', 'trainable', 'learn']
/** Keys that say the same the other way round in some data sets, and mark what is there in others. */
export const MASK_KEYS = ['mask', 'masked', 'loss_mask', 'ignore']
export const MASK_CURE =
  'data sets mean opposite things by it: write "weight": 0 for a message that is not to be learned'

/** Roles that a message lists. */
const ROLES_SHOWN = 5

type Fields = Readonly<Record<string, unknown>>

/**
 * A conversation's messages, in OpenAI's shape (`role`, `content`) or ShareGPT's (`from`, `value`).
 *
 * @param key their place in the record, for error messages
 * @param onUnread receives the message keys that nothing reads
 * @throws {Error} naming the message and the invalid key
 */
export function parseMessages(value: unknown, key: string, onUnread: (key: string) => void): ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new Error(`"${key}": expected a non-empty list of messages`)
  return value.map((message: unknown, index) => {
    const place = `${key}.${index}`
    if (typeof message !== 'object' || message === null || Array.isArray(message))
      throw new Error(`"${place}": expected an object`)
    const fields = message as Fields
    return 'from' in fields && !('role' in fields)
      ? shareGptMessage(fields, place, onUnread)
      : openAiMessage(fields, place, onUnread)
  })
}

function openAiMessage(fields: Fields, place: string, onUnread: (key: string) => void): ChatMessage {
  const { role, function_call: legacyCall } = fields
  if (typeof role !== 'string' || role.trim() === '') throw new Error(`"${place}.role": expected a name`)
  if (legacyCall != null)
    throw new Error(
      `"${place}.function_call": is not supported: write it as "tool_calls", OpenAI's current form`
    )
  const content = contentText(fields.content, `${place}.content`)
  const kept = TEMPLATE_KEYS.filter((name) => fields[name] != null)
  const extra = Object.fromEntries(
    kept.map((name) => [
      name,
      name === 'tool_calls' ? toolCalls(fields[name], `${place}.${name}`) : fields[name]
    ])
  )
  const known = ['role', 'content', 'function_call', ...TEMPLATE_KEYS, ...LEARNED_KEYS]
  for (const name of Object.keys(fields))
    if (!known.includes(name)) onUnread(`${place.split('.')[0]}[].${name}`)
  const message = { role, ...(content !== undefined && { content }), ...(kept.length > 0 && { extra }) }
  return checkAnswer({ ...message, ...learnedFlag(fields, place) }, place)
}

function shareGptMessage(fields: Fields, place: string, onUnread: (key: string) => void): ChatMessage {
  const { from, value } = fields
  const name = String(from).toLowerCase()
  const known = ['from', 'value', ...LEARNED_KEYS]
  for (const key of Object.keys(fields)) if (!known.includes(key)) onUnread(`${place.split('.')[0]}[].${key}`)
  const flag = learnedFlag(fields, place)
  if (name === CALL_ROLE) {
    const call = parseJson(value, `${place}.value`)
    const tool_calls = [call].flat().map((one) => ({ type: 'function', function: one }))
    return { role: 'assistant', content: '', extra: { tool_calls: toolCalls(tool_calls, place) }, ...flag }
  }
  const role = SHAREGPT_ROLES[name]
  if (role === undefined)
    throw new Error(
      `"${place}.from": ${JSON.stringify(from)} is not one of ${[...Object.keys(SHAREGPT_ROLES), CALL_ROLE].join(', ')}`
    )
  const content = contentText(value, `${place}.value`)
  if (content === undefined) throw new Error(`"${place}.value": expected a text`)
  return checkAnswer({ role, content, ...flag }, place)
}

/** An answer to learn must have text or calls. */
function checkAnswer(message: ChatMessage, place: string): ChatMessage {
  const { role, content, extra, isLearned } = message
  const calls = extra?.tool_calls !== undefined
  if (content === undefined && !calls) throw new Error(`"${place}.content": is missing`)
  if (role === 'assistant' && isLearned !== false && !calls && content?.trim() === '')
    throw new Error(
      `"${place}.content": an empty answer would be learned: fill it in, or set its "weight" to 0`
    )
  return message
}

/** The text, or the joined text parts; undefined if there is none. */
function contentText(content: unknown, place: string): string | undefined {
  if (content == null) return undefined
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw new Error(`"${place}": expected a text, or a list of text parts`)
  return content
    .map((part: unknown) => {
      if (typeof part === 'string') return part
      const { type, text } = (part ?? {}) as Fields
      if (type === 'text' && typeof text === 'string') return text
      throw new Error(`"${place}": a part of type ${JSON.stringify(type)} is not supported: only text is`)
    })
    .join('')
}

/** Calls in the form that templates expect: arguments are values, not JSON in a string as in OpenAI's API. */
function toolCalls(value: unknown, place: string): unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw new Error(`"${place}": expected a list of calls`)
  return value.map((call: unknown) => {
    const { function: called, ...rest } = (call ?? {}) as Fields
    if (typeof called !== 'object' || called === null)
      throw new Error(`"${place}": a call without "function"`)
    const { arguments: given, ...more } = called as Fields
    const parsed = typeof given === 'string' ? parseJson(given, `${place}.function.arguments`) : given
    return { ...rest, function: { ...more, ...(parsed !== undefined && { arguments: parsed }) } }
  })
}

/** Whether an answer is learned according to its own keys. */
function learnedFlag(fields: Fields, place: string): { isLearned?: boolean } {
  const mask = MASK_KEYS.find((key) => fields[key] != null)
  if (mask !== undefined) throw new Error(`"${place}.${mask}": is not supported, since ${MASK_CURE}`)
  const flags = LEARNED_KEYS.filter((key) => fields[key] != null).map((key) => {
    const value = fields[key]
    if (value === 0 || value === false) return false
    if (value === 1 || value === true) return true
    throw new Error(
      `"${place}.${key}": ${JSON.stringify(value)} is not supported: only 0, 1, true and false are`
    )
  })
  return flags.length === 0 ? {} : { isLearned: flags.every(Boolean) }
}

/** The tools that the assistant may call: a list, possibly as JSON in a string; undefined if there are none. */
export function parseTools(value: unknown): unknown[] | undefined {
  if (value == null || value === '') return undefined
  const tools = typeof value === 'string' ? parseJson(value, 'tools') : value
  if (!Array.isArray(tools)) throw new Error('"tools": expected a list')
  return tools.length === 0 ? undefined : tools
}

/** Checks a conversation. @throws {Error} when it has nothing to learn */
export function conversation(
  messages: readonly ChatMessage[],
  { system, tools }: { readonly system?: unknown; readonly tools?: unknown } = {}
): ExampleContent {
  if (typeof system === 'string' && system !== '' && messages[0]?.role === 'system')
    throw new Error('"system": the conversation begins with a system message of its own: keep one')
  const whole =
    typeof system === 'string' && system !== ''
      ? [{ role: 'system', content: system }, ...messages]
      : messages
  const answers = whole.filter(({ role }) => role === 'assistant')
  if (answers.length === 0) {
    const roles = [...new Set(messages.map(({ role }) => JSON.stringify(role)))]
      .slice(0, ROLES_SHOWN)
      .join(', ')
    throw new Error(
      `has no assistant message to learn from: its roles are ${roles}, and the role of an answer is "assistant"`
    )
  }
  const parsed = parseTools(tools)
  return { kind: 'chat', messages: whole, ...(parsed && { tools: parsed }) }
}

function parseJson(value: unknown, place: string): unknown {
  try {
    return JSON.parse(String(value))
  } catch {
    throw new Error(`"${place}": expected JSON`)
  }
}
