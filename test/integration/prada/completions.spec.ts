import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { openRemote, type RemoteFault } from '../../../src/prada/remotes/index.ts'
import {
  chooseDrafter,
  DEFAULT_PRADA_SETTINGS,
  naiveTokens,
  type PradaComponents,
  type PradaRequest,
  type PradaSettings,
  type PradaStatistics,
  startPradaText
} from '../../../src/prada/session/index.ts'
import { numberedVocabulary, remoteOf } from '../../unit/prada/small-remote.ts'
import { nearTable, randomTable, tableModel } from '../../unit/prada/table-model.ts'
import {
  type CompletionAnswer,
  type CompletionsScript,
  encodeNumbered,
  startCompletionsServer
} from './completions-server.ts'

const SIZE = 40
const table = randomTable(4, SIZE, 2)
const vocabulary = numberedVocabulary(SIZE)
const DRAWS: Record<string, Partial<PradaRequest>> = {
  greedy: { temperature: 0 },
  'T = 1': { temperature: 1 },
  'T = 0.7, top-p 0.9': { temperature: 0.7, topP: 0.9 }
}
const LLAMA_SERVER: CompletionsScript = { format: 'list', ids: true, topKMax: 1_000 }
const SCRIPTS: Record<string, CompletionsScript> = {
  'llama-server': LLAMA_SERVER,
  vLLM: { format: 'id maps', ids: true, topKMax: 20, refusesMore: true },
  'llama-cpp-python': { format: 'maps', ids: false, topKMax: 1_000 },
  'a server that tells five': { format: 'maps', ids: false, topKMax: 5 }
}

function parts(): Omit<PradaComponents, 'remote'> {
  const base = tableModel(nearTable(table, 5, 0.5), SIZE)
  const adapted = tableModel(nearTable(table, 6, 0.5), SIZE)
  return { proxy: { base, adapted }, vocabularySize: SIZE, now: () => performance.now() }
}

interface Made {
  readonly tokens: readonly { readonly id: number; readonly exact: boolean }[]
  readonly error?: Error & { readonly fault?: RemoteFault }
  readonly statistics?: PradaStatistics
}

/** The outcome of a text on a scripted server. */
async function made(
  script: CompletionsScript,
  request: PradaRequest,
  settings: Partial<PradaSettings> = {},
  timeoutMs = 20_000
): Promise<Made> {
  const server = await startCompletionsServer(table, SIZE, script)
  const tokens: { id: number; exact: boolean }[] = []
  const options = { vocabulary, encode: encodeNumbered, timeoutMs, attempts: 3, pauseMaxMs: 5 }
  try {
    const { remote, dispose } = await openRemote(`${server.url}/v1`, options)
    const drafter = chooseDrafter(remote.capabilities, DEFAULT_PRADA_SETTINGS)
    const all = { ...DEFAULT_PRADA_SETTINGS, draftLength: 4, drafter, requireExact: false, ...settings }
    const text = startPradaText({ ...parts(), remote }, all, request)
    try {
      for await (const { id, exact } of text.tokens) tokens.push({ id, exact })
    } finally {
      dispose()
    }
    return { tokens, statistics: text.statistics }
  } catch (error) {
    return { tokens, error: error as Error }
  } finally {
    await server.close()
  }
}

async function truthOf(request: PradaRequest): Promise<number[]> {
  const components = { ...parts(), remote: await remoteOf(tableModel(table, SIZE)) }
  return naiveTokens(components, { alpha: 1, precision: 'float32' }, request)
}

describe('completion servers', () => {
  for (const [name, script] of Object.entries(SCRIPTS))
    for (const [title, draw] of Object.entries(DRAWS))
      it(`${name}, ${title}: every token marked exact is that of naive sampling`, async () => {
        const request = { ids: [1, 2], maxTokens: 30, seed: 3, temperature: 1, ...draw }
        const truth = await truthOf(request)
        const { tokens, statistics, error } = await made(script, request)
        assert.equal(error, undefined)
        const wrong = tokens.findIndex(({ id }, place) => id !== truth[place])
        // After an uncertain token the text may differ.
        const end = wrong < 0 ? tokens.length : wrong
        assert.ok(wrong < 0 || !tokens[wrong]!.exact, `token ${wrong} is wrong and called exact`)
        if (script.topKMax > SIZE) assert.equal(end, 30)
        assert.equal(statistics!.inexact, tokens.filter(({ exact }) => !exact).length)
        assert.ok(statistics!.accepted > 0)
      })

  it('that accept only text are exact only where they are known to tokenize it the same way', async () => {
    const request = { ids: [1, 2], maxTokens: 5, seed: 3, temperature: 0 }
    const server = await startCompletionsServer(table, SIZE, SCRIPTS['llama-cpp-python']!)
    const { remote, dispose } = await openRemote(server.url, { vocabulary })
    const settings = { ...DEFAULT_PRADA_SETTINGS, drafter: 'remote' as const }
    const text = startPradaText({ ...parts(), remote }, settings, request)
    await assert.rejects(text.tokens.next(), /leaves token 2 uncertain: it takes text alone/)
    dispose()
    await server.close()
  })

  it('that count other tokens than were sent are not exact', async () => {
    const meddle = (answer: CompletionAnswer, _: ServerResponse, count: number): boolean => {
      if (count > 10) answer.usage.prompt_tokens++
      return false
    }
    const request = { ids: [1, 2], maxTokens: 30, seed: 3, temperature: 0 }
    const { error } = await made({ ...SCRIPTS['llama-cpp-python']!, meddle }, request, { requireExact: true })
    assert.match(String(error), /NotExactError.*it read \d+ tokens, not/)
  })

  it('that leave a token out of their answer are asked again, since later entries would be off by one', async () => {
    const request = { ids: [1, 2], maxTokens: 30, seed: 3, temperature: 0 }
    const meddle = ({ choices }: CompletionAnswer, _: ServerResponse, count: number): boolean => {
      const { content } = choices[0]!.logprobs as { content: unknown[] }
      if (count % 3 === 0) content.splice(content.length > 1 ? 1 : 0, 1)
      return false
    }
    const { tokens, error } = await made({ ...LLAMA_SERVER, meddle }, request, {
      drafter: 'remote',
      requireExact: true
    })
    assert.equal(error, undefined)
    assert.deepEqual(
      tokens.map(({ id }) => id),
      await truthOf(request)
    )
  })

  it('that do not report what they read are not exact', async () => {
    const meddle = (answer: CompletionAnswer): boolean => {
      Reflect.deleteProperty(answer, 'usage')
      return false
    }
    const request = { ids: [1, 2], maxTokens: 30, seed: 3, temperature: 0 }
    const { error } = await made({ ...LLAMA_SERVER, meddle }, request, { requireExact: true })
    assert.match(String(error), /NotExactError.*it does not say how many tokens it (?:read|made)/)
  })

  it('that prepend a beginning to every prompt are sent texts without it, or are not exact', async () => {
    const meddle = (answer: CompletionAnswer): boolean => {
      answer.usage.prompt_tokens++
      return false
    }
    const request = { ids: [1, 2], maxTokens: 30, seed: 3, temperature: 0 }
    const { error } = await made({ ...LLAMA_SERVER, meddle }, request, { requireExact: true })
    assert.match(String(error), /NotExactError.*begin the text with it/)
  })

  it('that report too little are refused when every token must be certain', async () => {
    const request = { ids: [1, 2], maxTokens: 30, seed: 3, temperature: 1 }
    const { error } = await made(SCRIPTS['a server that tells five']!, request, { requireExact: true })
    assert.match(String(error), /NotExactError.*uncertain: it cannot tell enough/)
  })
})

describe('a failing completion server', () => {
  const request = { ids: [1, 2], maxTokens: 30, seed: 3, temperature: 1 }
  type Meddle = NonNullable<CompletionsScript['meddle']>
  const later =
    (meddle: (answer: CompletionAnswer, response: ServerResponse) => unknown): Meddle =>
    (answer, response, count) =>
      count > 12 && meddle(answer, response) !== false
  const changed = (change: (answer: CompletionAnswer) => void): Meddle =>
    later((answer) => {
      change(answer)
      return false
    })
  const firstOf = (answer: CompletionAnswer) =>
    (
      answer.choices[0]!.logprobs as {
        content: { logprob: number; top_logprobs: { id: number; bytes: number[]; logprob: number }[] }[]
      }
    ).content[0]!
  const FAILING: Record<string, [RemoteFault, RegExp, Meddle]> = {
    'a web page': [
      'garbage',
      /another form/,
      later((_, response) => void response.end('<html>Welcome</html>'))
    ],
    NaN: [
      'garbage',
      /another form/,
      later(
        (answer, response) =>
          void response.end(JSON.stringify(answer).replace(/"logprob":-[\d.]+/, '"logprob":NaN'))
      )
    ],
    'a lie about k': [
      'garbage',
      /likeliest \d+ tokens, where/,
      changed((answer) => void firstOf(answer).top_logprobs.splice(3))
    ],
    'probabilities above 1': [
      'garbage',
      /add up to|log-probability of/,
      changed((answer) => {
        for (const entry of firstOf(answer).top_logprobs) entry.logprob = -0.01
        firstOf(answer).logprob = -0.01
      })
    ],
    'another vocabulary': [
      'refused',
      /do not share a vocabulary/,
      changed((answer) => void Object.assign(firstOf(answer).top_logprobs[0]!, { bytes: [65] }))
    ],
    'another name': [
      'changed',
      /became another model/,
      changed((answer) => void Object.assign(answer, { model: 'other' }))
    ],
    'another fingerprint': [
      'changed',
      /became another model/,
      changed((answer) => void Object.assign(answer, { system_fingerprint: 'two' }))
    ],
    'no log-probabilities': [
      'refused',
      /tells no log-probabilities/,
      changed((answer) => void Object.assign(answer.choices[0]!, { logprobs: null }))
    ],
    'too many choices': [
      'garbage',
      /choices for/,
      changed((answer) => void answer.choices.push(answer.choices[0]!))
    ],
    silence: ['unreachable', /did not answer within 1 s/, later(() => undefined)],
    'broken connections': ['unreachable', /3 attempts/, later((_, response) => void response.destroy())],
    'being told off for ever': [
      'busy',
      /429, slow down \(3 attempts\)/,
      later(
        (_, response) =>
          void response.writeHead(429, { 'retry-after-ms': '1' }).end('{"error":{"message":"slow down"}}')
      )
    ],
    'an error of its own': [
      'refused',
      /500, out of memory/,
      later((_, response) => void response.writeHead(500).end('{"error":{"message":"out of memory"}}'))
    ]
  }
  for (const [name, [fault, message, meddle]] of Object.entries(FAILING))
    it(`gives one clear error and no wrong token: ${name}`, async () => {
      const truth = await truthOf(request)
      const { tokens, error } = await made(
        { ...LLAMA_SERVER, meddle },
        request,
        {},
        name === 'silence' ? 1_000 : undefined
      )
      assert.equal(error?.name, 'RemoteError', String(error))
      assert.equal(error?.fault, fault, String(error))
      assert.match(error!.message, message)
      assert.deepEqual(
        tokens.map(({ id }) => id),
        truth.slice(0, tokens.length)
      )
      assert.ok(tokens.length > 0 && tokens.length < truth.length)
    })

  it('completes the text after one 429 answer', async () => {
    const meddle: Meddle = (_, response, count) => {
      if (count !== 13) return false
      response.writeHead(429, { 'retry-after': '0' }).end('{"error":{"message":"slow down"}}')
      return true
    }
    const { tokens, error } = await made({ ...LLAMA_SERVER, meddle }, request)
    assert.equal(error, undefined)
    assert.deepEqual(
      tokens.map(({ id }) => id),
      await truthOf(request)
    )
  })
})

describe('the URL of a remote', () => {
  const opened = (url: string, options = {}) =>
    openRemote(url, { vocabulary, attempts: 1, timeoutMs: 5_000, ...options })

  it('is refused with advice when invalid', async () => {
    await assert.rejects(opened('ftp://here'), /not the address of a remote: give http/)
    await assert.rejects(opened('nonsense'), /not the address of a remote/)
    await assert.rejects(opened('/ip4/127.0.0.1/tcp/1/p2p/12D3'), /which only a member can dial: give --home/)
    await assert.rejects(opened('http://127.0.0.1:9'), /ECONNREFUSED/)
  })

  it('needs the key and the model of the server', async () => {
    const server = await startCompletionsServer(table, SIZE, { ...LLAMA_SERVER, apiKey: 'sesame' })
    await assert.rejects(opened(server.url), /wants an API key, or another one: 401, no such key/)
    await assert.rejects(
      opened(server.url, { apiKey: 'sesame', model: 'other' }),
      /no model other: it has small/
    )
    const { remote, dispose } = await opened(server.url, { apiKey: 'sesame' })
    assert.equal(remote.capabilities.context, 500)
    dispose()
    await server.close()
  })
})
