import assert from 'node:assert/strict'
import { readChatRequest } from '../../../../src/prada/endpoint/chat-request.ts'
import { readCompletionRequest } from '../../../../src/prada/endpoint/completion-request.ts'
import { EndpointError } from '../../../../src/prada/endpoint/endpoint-error.ts'
import type { TextPlan } from '../../../../src/prada/endpoint/text-plan.ts'
import { byteTokenizer, tinySource } from './tiny-source.ts'

const source = tinySource()
const hello = [{ role: 'user', content: 'Hello' }]
const chat = (more: object): TextPlan => readChatRequest(source, { model: 'tiny', messages: hello, ...more })
const completion = (more: object): TextPlan =>
  readCompletionRequest(source, { model: 'tiny', prompt: 'a', ...more })
const textOf = ({ prompts }: TextPlan): string => byteTokenizer.decode(prompts[0]!)

/** The request is refused with 400 for this key. */
function assertRefused(read: () => unknown, param: string | undefined, message?: RegExp): void {
  assert.throws(read, (error: unknown) => {
    assert.ok(error instanceof EndpointError, String(error))
    assert.deepEqual([error.statusCode, error.param], [400, param], error.message)
    if (message !== undefined) assert.match(error.message, message)
    return true
  })
}

describe('a chat request', () => {
  it('has OpenAI’s defaults: temperature 1, no filter, one choice up to the full context, a fresh seed', () => {
    const { settings, choices, stop, stream, includeUsage } = chat({})
    const { seed, ...rest } = settings
    assert.deepEqual(rest, { temperature: 1, maxTokens: source.context })
    assert.ok(Number.isSafeInteger(seed))
    assert.notEqual(seed, chat({}).settings.seed)
    assert.deepEqual([choices, stop, stream, includeUsage], [1, [], false, false])
  })

  it('applies its parameters', () => {
    const { settings, choices, stop, stream, includeUsage } = chat({
      temperature: 0.5,
      top_p: 0.9,
      top_k: 40,
      min_p: 0.1,
      seed: 7,
      n: 2,
      stop: ['a', 'b'],
      max_completion_tokens: 5,
      presence_penalty: 1,
      frequency_penalty: -1,
      logit_bias: { '65': -100 },
      logprobs: true,
      top_logprobs: 3,
      stream: true,
      stream_options: { include_usage: true }
    })
    assert.deepEqual(settings, {
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      minP: 0.1,
      seed: 7,
      maxTokens: 5,
      presencePenalty: 1,
      frequencyPenalty: -1,
      bias: new Map([[65, -100]]),
      alternatives: 3
    })
    assert.deepEqual([choices, stop, stream, includeUsage], [2, ['a', 'b'], true, true])
    assert.deepEqual(chat({ stop: 'x', max_tokens: 3, logprobs: true }).stop, ['x'])
    assert.equal(chat({ max_tokens: 3, max_completion_tokens: 3 }).settings.maxTokens, 3)
  })

  it('treats null as absent, and ignores keys that change nothing', () => {
    const nothing = {
      temperature: null,
      stop: null,
      max_tokens: null,
      logit_bias: null,
      seed: null,
      tools: null
    }
    const harmless = { user: 'me', metadata: { a: 'b' }, store: false, tools: [], tool_choice: 'none' }
    const { settings } = chat({
      ...nothing,
      ...harmless,
      response_format: { type: 'text' },
      modalities: ['text']
    })
    assert.equal(settings.temperature, 1)
  })

  it('renders messages with the template: developer is system, parts are joined', () => {
    const parts = [
      { type: 'text', text: 'one ' },
      { type: 'text', text: 'two' }
    ]
    const messages = [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: parts },
      { role: 'assistant', content: 'three', refusal: null, tool_calls: [] }
    ]
    assert.equal(textOf(chat({ messages })), 'system:Be brief.\nuser:one two\nassistant:three\n')
    // A conversation begins as its template does: the s of system.
    assert.equal(chat({ messages }).prompts[0]![0], 's'.charCodeAt(0))
  })

  it('is refused, naming the key, if any of it cannot be honoured', () => {
    const cases: readonly [object, string, RegExp?][] = [
      [{ messages: [] }, 'messages'],
      [{ messages: [{ role: 'tool', content: 'x' }] }, 'messages.0.role', /only system, developer/],
      [{ messages: [{ role: 'user' }] }, 'messages.0.content'],
      [{ messages: [{ role: 'user', content: 'x', name: 'Ann' }] }, 'messages.0.name'],
      [
        { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] },
        'messages.0.content.0',
        /image_url/
      ],
      [{ messages: [{ role: 'user', content: 'x'.repeat(500) }] }, 'messages', /shorten it/],
      [{ tools: [{ type: 'function' }] }, 'tools', /leave them out/],
      [{ tool_choice: 'required' }, 'tool_choice'],
      [{ functions: [] }, 'functions'],
      [{ response_format: { type: 'json_object' } }, 'response_format.type', /only "text"/],
      [{ store: true }, 'store'],
      [{ reasoning_effort: 'high' }, 'reasoning_effort'],
      [{ nonsense: 1 }, 'nonsense', /does not know it/],
      [{ stream_options: { nonsense: 1 } }, 'stream_options.nonsense'],
      [{ temperature: 2.5 }, 'temperature'],
      [{ temperature: '1' }, 'temperature'],
      [{ top_p: 0 }, 'top_p'],
      [{ top_k: 0 }, 'top_k'],
      [{ seed: 1.5 }, 'seed'],
      [{ seed: -1 }, 'seed'],
      [{ n: 0 }, 'n'],
      [{ max_tokens: 0 }, 'max_tokens'],
      [{ max_tokens: 3, max_completion_tokens: 4 }, 'max_tokens'],
      [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop'],
      [{ stop: '' }, 'stop'],
      [{ top_logprobs: 3 }, 'top_logprobs'],
      [{ logprobs: true, top_logprobs: 21 }, 'top_logprobs'],
      [{ presence_penalty: 3 }, 'presence_penalty'],
      [{ logit_bias: { x: 1 } }, 'logit_bias.x'],
      [{ logit_bias: { '257': 1 } }, 'logit_bias', /no token 257/],
      [{ logit_bias: { '1': 101 } }, 'logit_bias.1']
    ]
    for (const [more, param, message] of cases) assertRefused(() => chat(more), param, message)
    for (const body of [undefined, null, 'text', []])
      assertRefused(() => readChatRequest(source, body), undefined)
    assertRefused(
      () => readChatRequest(tinySource({ chat: false }), { model: 'tiny', messages: hello }),
      'messages'
    )
  })

  it('passes on why the template refuses a conversation', () => {
    const strict = {
      ...source,
      renderChat: () => {
        throw new Error('roles must alternate')
      }
    }
    assertRefused(
      () => readChatRequest(strict, { model: 'tiny', messages: hello }),
      'messages',
      /roles must alternate/
    )
  })
})

describe('a completion request', () => {
  it('has OpenAI’s defaults, 16 tokens among them', () => {
    assert.deepEqual([completion({}).settings.maxTokens, completion({}).settings.temperature], [16, 1])
    assert.equal(completion({ logprobs: 2 }).settings.alternatives, 2)
  })

  it('accepts a text, ids, and lists of either', () => {
    const end = byteTokenizer.bosId!
    assert.deepEqual(completion({ prompt: 'ab' }).prompts, [[end, 97, 98]])
    assert.deepEqual(completion({ prompt: ['a', 'b'] }).prompts, [
      [end, 97],
      [end, 98]
    ])
    assert.deepEqual(completion({ prompt: [97, 98] }).prompts, [[97, 98]])
    assert.deepEqual(completion({ prompt: [[97], [98]] }).prompts, [[97], [98]])
    assert.deepEqual(completion({ prompt: '' }).prompts, [[end]])
  })

  it('is refused, naming the key, if any of it cannot be honoured', () => {
    const cases: readonly [object, string][] = [
      [{ prompt: undefined }, 'prompt'],
      [{ prompt: [] }, 'prompt'],
      [{ prompt: ['a', 1] }, 'prompt'],
      [{ prompt: [[]] }, 'prompt'],
      [{ prompt: [257] }, 'prompt'],
      [{ prompt: [-1] }, 'prompt'],
      [{ prompt: 'a'.repeat(199) }, 'prompt'],
      [{ prompt: Array.from({ length: 65 }, () => 'a') }, 'prompt'],
      [{ prompt: Array.from({ length: 33 }, () => 'a'), n: 2 }, 'n'],
      [{ best_of: 2 }, 'best_of'],
      [{ echo: true }, 'echo'],
      [{ suffix: 'x' }, 'suffix'],
      [{ logprobs: true }, 'logprobs'],
      [{ messages: [] }, 'messages']
    ]
    for (const [more, param] of cases) assertRefused(() => completion(more), param)
    assert.equal(completion({ best_of: 2, n: 2 }).choices, 2)
  })
})
