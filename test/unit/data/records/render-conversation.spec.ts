import assert from 'node:assert/strict'
import { type ChatMessage, type RenderChat, tokenizeExample } from '../../../../src/data/index.ts'
import { renderConversation } from '../../../../src/data/records/render-conversation.ts'
import { createChatTemplate } from '../../../../src/model/index.ts'

const say = (role: string, content: string, more: Partial<ChatMessage> = {}): ChatMessage => ({
  role,
  content,
  ...more
})
const template = (source: string) => createChatTemplate(source, { specialTokens: { eos_token: '</s>' } })
/** Opens a thought for an answer to come, and drops the thoughts of answers. */
const THINKING = template(
  "{% for m in messages %}{% if m.role == 'user' %}<u>{{ m.content }}{% elif m.role == 'assistant' %}" +
    "<a>{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}{% endfor %}" +
    '{% if add_generation_prompt %}<a><think>\n{% endif %}'
)
const PLAIN = template(
  '{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}'
)
const learnedOf = (
  messages: readonly ChatMessage[],
  render = THINKING,
  tools?: readonly unknown[]
): { learned: string[][]; notes: string[] } => {
  const notes: string[] = []
  const rendered = renderConversation({ messages, ...(tools && { tools }) }, render, (note) =>
    notes.push(note)
  )
  return {
    learned: rendered.map(({ text, learned }) => learned.map(([start, end]) => text.slice(start, end))),
    notes
  }
}

describe('rendering a conversation with a template', () => {
  it('trains on the answer when the template opens a thought before it, and notes the lost thought', () => {
    const messages = [say('user', 'Deep?'), say('assistant', '<think>I measure.</think>Yes.')]
    assert.deepEqual(learnedOf(messages), { learned: [['Yes.</s>']], notes: ['thoughts'] })
    // An answer that begins like the marker of a thought.
    const marked = [say('user', 'Bold?'), say('assistant', '<the answer')]
    assert.deepEqual(learnedOf(marked).learned, [['<the answer</s>']])
    const two = [...messages, say('user', 'Wide?'), say('assistant', 'No.')]
    assert.deepEqual(learnedOf(two).learned, [['Yes.</s>', 'No.</s>']])
  })

  it('starts with an answer, even if the template needs an earlier message', () => {
    const needy = template(
      '{{ messages[0].role }}:{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}'
    )
    assert.deepEqual(learnedOf([say('assistant', 'Welcome.')], needy).learned, [['Welcome.']])
    assert.deepEqual(
      learnedOf([say('assistant', 'Hi.'), say('user', 'a'), say('assistant', 'b')], PLAIN).learned,
      [['Hi.</s>', 'b</s>']]
    )
  })

  it('does not train on answers that are marked so', () => {
    const messages = [
      say('user', 'a'),
      say('assistant', 'wrong', { isLearned: false }),
      say('user', 'b'),
      say('assistant', 'right')
    ]
    assert.deepEqual(learnedOf(messages, PLAIN).learned, [['right</s>']])
  })

  it('notes a message that the template does not render', () => {
    const messages = [say('system', 'Be brief.'), say('user', 'a'), say('assistant', 'b')]
    assert.deepEqual(learnedOf(messages).notes, ['messages'])
    assert.deepEqual(learnedOf(messages, PLAIN).notes, [])
  })

  it('refuses to lose tool calls or tools', () => {
    const call = { type: 'function', function: { name: 'depth', arguments: { pool: 3 } } }
    const { content: _, ...calling } = say('assistant', '', { extra: { tool_calls: [call] } })
    const messages = [say('user', 'a'), calling, say('tool', '4'), say('assistant', 'Four.')]
    assert.throws(() => learnedOf(messages, PLAIN), /does not render the "tool_calls" of message 2/)
    assert.throws(
      () => learnedOf([say('user', 'a'), say('assistant', 'b')], PLAIN, [call]),
      /does not render the "tools"/
    )
    const knowing = template(
      '{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}<{{ m.role }}>{{ m.content }}' +
        '{% for c in m.tool_calls or [] %}{{ c.function.name }}({{ c.function.arguments.pool }}){% endfor %}{{ eos_token }}{% endfor %}' +
        '{% if add_generation_prompt %}<assistant>{% endif %}'
    )
    assert.deepEqual(learnedOf(messages, knowing, [call]).learned, [['depth(3)</s>', 'Four.</s>']])
  })

  it('starts as the template does, and a plain text with the tokenizer’s own prefix', () => {
    const tokenizer = {
      vocabularySize: 0x10000,
      bosId: 60,
      eosId: 2,
      prefix: [60],
      specialIds: new Set([60]),
      encode: (text: string) => Array.from(text, (letter) => letter.charCodeAt(0)),
      decode: (ids: readonly number[]) => String.fromCharCode(...ids)
    }
    const notes: string[] = []
    const ids = (content: Parameters<typeof tokenizeExample>[0]['content'], renderChat: RenderChat = PLAIN) =>
      Array.from(
        tokenizeExample(
          { content, source: 'x:1' },
          { tokenizer, loss: 'completions', renderChat, onNote: (note) => notes.push(note) }
        )[0]!.ids
      ).slice(0, 3)
    // The template begins with '<', which is 60.
    assert.deepEqual(
      ids({ kind: 'chat', messages: [say('user', 'a'), say('assistant', 'b')] }),
      [60, 117, 115]
    )
    assert.deepEqual(notes, [])
    const bare = (messages: readonly ChatMessage[]): string => messages.map(({ content }) => content).join('')
    assert.deepEqual(
      ids({ kind: 'chat', messages: [say('user', 'a'), say('assistant', 'b')] }, bare),
      [97, 98]
    )
    assert.deepEqual(notes.splice(0), ['no beginning'])
    assert.deepEqual(ids({ kind: 'text', text: '<b' }), [60, 60, 98])
    assert.deepEqual(notes.splice(0), ['special tokens'])
    assert.deepEqual(ids({ kind: 'completion', prompt: '', completion: 'b' }), [60, 98, 2])
    // Those that the template writes are meant; those in a message are not.
    ids({ kind: 'chat', messages: [say('user', 'is a < b?'), say('assistant', 'b')] })
    assert.deepEqual(notes.splice(0), ['special tokens'])
    ids({ kind: 'text', text: 'Gr\ufffd\ufffde' })
    assert.deepEqual(notes, ['replaced characters'])
  })
})
