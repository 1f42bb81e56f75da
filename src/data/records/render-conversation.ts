import type { ChatMessage } from './example.ts'

/** Renders a conversation as text; `addGenerationPrompt` appends the beginning of an answer. */
export type RenderChat = (
  messages: readonly ChatMessage[],
  options: { readonly addGenerationPrompt: boolean; readonly tools?: readonly unknown[] | undefined }
) => string

/** A conversation as text, and the ranges of its learned answers as [start, end) in characters, in order. */
export interface RenderedConversation {
  readonly text: string
  readonly learned: readonly (readonly [number, number])[]
}

/** The part of a conversation that a template left out. */
export type LeftOut = 'thoughts' | 'messages'

/** Contents that no real conversation has, to see how a template renders them. */
const PROBES = ['\u{1f33f}probe', '\u{1fab5}other'] as const

/**
 * Renders a conversation with a template and marks its answers. An answer is what the conversation up to and including
 * it adds to the conversation before it plus the generation prompt. If the template renders earlier answers differently
 * later on, each answer becomes a separate conversation.
 *
 * @param onLeftOut receives what the template does not render: a thought that it cuts off, or a whole message
 * @throws {Error} when the template fails, or does not render the conversation's tools or calls
 */
export function renderConversation(
  { messages, tools }: { readonly messages: readonly ChatMessage[]; readonly tools?: readonly unknown[] },
  renderChat: RenderChat,
  onLeftOut: (what: LeftOut) => void = () => {}
): RenderedConversation[] {
  const render = (part: readonly ChatMessage[], addGenerationPrompt = false): string =>
    renderChat(part, { addGenerationPrompt, ...(tools && { tools }) })
  const text = render(messages)
  requireTools(messages, tools, text, renderChat)
  const answers = messages.flatMap(({ role }, index) => {
    if (role !== 'assistant') return []
    const after = index === messages.length - 1 ? text : render(messages.slice(0, index + 1))
    return [{ index, after, start: answerStart(messages, index, after, render) }]
  })
  reportLeftOut(messages, answers, text, render, onLeftOut)
  const learned = answers.filter(({ index }) => messages[index]!.isLearned !== false)
  const span = ({ start, after }: { start: number; after: string }) => [start, after.length] as const
  if (answers.every(({ after }) => text.startsWith(after))) return [{ text, learned: learned.map(span) }]
  return learned.map((answer) => ({ text: answer.after, learned: [span(answer)] }))
}

/**
 * Where an answer begins: after the generation prompt. That prompt may open a thought that the template does not render
 * for an answer without one; then the answer begins where the renderings of two different answers diverge.
 */
function answerStart(
  messages: readonly ChatMessage[],
  index: number,
  after: string,
  render: (part: readonly ChatMessage[], addGenerationPrompt?: boolean) => string
): number {
  const before = messages.slice(0, index)
  const prompt = index === 0 ? undefined : render(before, true)
  if (prompt !== undefined && after.startsWith(prompt)) return prompt.length
  const [first, second] = PROBES.map((content) => render([...before, { role: 'assistant', content }]))
  const shared = sharedLength(first!, second!)
  const start = Math.min(
    sharedLength(first!.slice(0, shared), after),
    prompt === undefined ? shared : sharedLength(prompt, after)
  )
  const earlier = index === 0 ? 0 : render(before).length
  if (start < earlier || (index > 0 && !after.startsWith(render(before))))
    throw new Error('the conversation with its answer does not begin like the conversation without it')
  return start
}

/** @throws {Error} if the template renders the same text without that part of the conversation */
function requireTools(
  messages: readonly ChatMessage[],
  tools: readonly unknown[] | undefined,
  text: string,
  renderChat: RenderChat
): void {
  const same = (part: readonly ChatMessage[], kept: readonly unknown[] | undefined): boolean =>
    attempt(() => renderChat(part, { addGenerationPrompt: false, ...(kept && { tools: kept }) })) === text
  if (tools !== undefined && tools.length > 0 && same(messages, undefined))
    throw new Error('it does not render the "tools" of the conversation: use a template that does')
  for (const [index, { extra }] of messages.entries()) {
    if (extra?.tool_calls === undefined) continue
    const { tool_calls: _, ...rest } = extra
    const without = messages.map((message, at) => (at === index ? { ...message, extra: rest } : message))
    if (same(without, tools))
      throw new Error(`it does not render the "tool_calls" of message ${index + 1}: use a template that does`)
  }
}

function reportLeftOut(
  messages: readonly ChatMessage[],
  answers: readonly { readonly index: number; readonly after: string }[],
  text: string,
  render: (part: readonly ChatMessage[]) => string,
  onLeftOut: (what: LeftOut) => void
): void {
  for (const { index, after } of answers) {
    const { content = '', extra } = messages[index]!
    const thoughts = [...content.matchAll(/<think>([\s\S]*?)<\/think>/g)].map(([, thought]) => thought!)
    const { reasoning_content: reasoning } = extra ?? {}
    if (typeof reasoning === 'string') thoughts.push(reasoning)
    if (thoughts.some((thought) => !after.includes(thought.trim()))) onLeftOut('thoughts')
  }
  for (const [index, message] of messages.entries()) {
    const { role, content = '' } = message
    if (role === 'assistant' || content.trim() === '' || text.includes(content.trim())) continue
    const changed = messages.map((other, at) => (at === index ? { ...message, content: PROBES[0] } : other))
    if (attempt(() => render(changed)) === text) onLeftOut('messages')
  }
}

function attempt(render: () => string): string | undefined {
  try {
    return render()
  } catch {
    return undefined
  }
}

function sharedLength(left: string, right: string): number {
  const most = Math.min(left.length, right.length)
  let length = 0
  while (length < most && left[length] === right[length]) length++
  // Never inside a surrogate pair.
  return /[\ud800-\udbff]/.test(left.charAt(length - 1)) ? length - 1 : length
}
