import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { TextSource } from '../../../src/prada/endpoint/index.ts'
import { RemoteError } from '../../../src/prada/remotes/index.ts'
import { tinySource } from '../../unit/prada/endpoint/tiny-source.ts'
import { askShortly, comes, metric } from './ask-shortly.ts'
import { type EndpointApp, listenEndpoint } from './endpoint-app.ts'
import { parseEvents, post } from './sse.ts'

const COMPLETION = { model: 'tiny', prompt: 'Once', max_tokens: 8, seed: 4 }
const CHAT = { model: 'tiny', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 8, seed: 4 }

/** A text that goes on until its client leaves. */
const ENDLESS = { ...COMPLETION, max_tokens: 100_000, stream: true, logit_bias: { '256': -100 } }

/** A source that fails after a number of tokens. */
function failing(after: number, error: Error): TextSource {
  const source = tinySource()
  return {
    ...source,
    start: () => ({
      tokens: (async function* () {
        for (let made = 0; made < after; made++) yield { id: 97 + made, exact: true }
        throw error
      })()
    })
  }
}

describe('the endpoint', function () {
  this.timeout(90_000)
  let app: EndpointApp
  const start = async (...args: Parameters<typeof listenEndpoint>): Promise<EndpointApp> => {
    app = await listenEndpoint(...args)
    return app
  }
  afterEach(() => app.close())

  it('answers a plain HTTP client: chunks, usage, [DONE]', async () => {
    const { url } = await start(tinySource())
    const whole = (await (await post(`${url}/v1/chat/completions`, CHAT)).json()) as {
      choices: { message: { content: string } }[]
      usage: object
    }
    const response = await post(`${url}/v1/chat/completions`, {
      ...CHAT,
      stream: true,
      stream_options: { include_usage: true }
    })
    assert.match(response.headers.get('content-type')!, /^text\/event-stream/)
    assert.ok(response.headers.get('x-request-id'))
    const { events, isDone } = parseEvents(await response.text())
    assert.ok(isDone)
    assert.deepEqual(events[0]!.choices, [
      { index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }
    ])
    const pieces = events.slice(1, -2).map(({ choices }) => choices[0]?.delta?.content)
    assert.equal(pieces.join(''), whole.choices[0]!.message.content)
    assert.deepEqual(events.at(-2)!.choices[0]?.delta, {})
    assert.deepEqual([events.at(-1)!.choices, events.at(-1)!.usage], [[], whole.usage])
    const plain = parseEvents(
      await (await post(`${url}/v1/completions`, { ...COMPLETION, stream: true })).text()
    )
    assert.ok(plain.isDone && plain.events.every((event) => !('usage' in event)))
  })

  it('reports what is wrong with a request, and keeps running', async () => {
    const { url } = await start(tinySource(), { limits: { bodyBytes: 2_000 } })
    const path = `${url}/v1/chat/completions`
    const cases: readonly [Promise<Response>, number, string | null, string | null][] = [
      [post(path, '{'), 400, null, 'invalid_json'],
      [post(path, 'null'), 400, null, null],
      [post(path, { ...CHAT, tools: [{}] }), 400, 'tools', null],
      [post(path, { ...CHAT, model: 'gpt-4' }), 404, 'model', 'model_not_found'],
      [post(path, { ...CHAT, user: 'x'.repeat(3_000) }), 413, null, 'request_too_large'],
      [
        post(path, 'x', { headers: { 'content-type': 'application/xml' } }),
        415,
        null,
        'unsupported_media_type'
      ],
      [post(path, JSON.stringify(CHAT), { headers: { 'content-type': 'text/plain' } }), 400, null, null],
      [post(`${url}/v1/embeddings`, {}), 404, null, 'not_found'],
      [fetch(path), 404, null, 'not_found'],
      [fetch(`${url}/v1/models/gpt-4`), 404, 'model', 'model_not_found']
    ]
    for (const [answer, status, param, code] of cases) {
      const response = await answer
      const { error } = (await response.json()) as { error: Record<string, unknown> }
      assert.deepEqual(
        [response.status, error.param, error.code],
        [status, param, code],
        String(error.message)
      )
      assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code'])
    }
    assert.equal((await post(path, CHAT)).status, 200)
  })

  it('requires a key if keys are set, and its own host name if not', async () => {
    const { url } = await start(tinySource(), { apiKeys: ['one', 'two'] })
    const asked = (headers: Record<string, string>) => fetch(`${url}/v1/models`, { headers })
    for (const headers of [{}, { authorization: 'Bearer three' }, { authorization: 'one' }]) {
      const response = await asked(headers as Record<string, string>)
      assert.equal(response.status, 401)
      assert.equal(((await response.json()) as { error: { code: string } }).error.code, 'invalid_api_key')
    }
    for (const key of ['one', 'two'])
      assert.equal((await asked({ authorization: `Bearer ${key}` })).status, 200)
    assert.equal((await fetch(`${url}/metrics`)).status, 401)
    assert.equal((await fetch(`${url}/health`)).status, 200)
    await app.close()

    await start(tinySource())
    const named = (host: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const asking = httpRequest(`${app.url}/v1/models`, { headers: { host }, agent: false })
        asking.on('error', reject).on('response', (response) => {
          response.resume()
          resolve(response.statusCode!)
        })
        asking.end()
      })
    assert.deepEqual(
      await Promise.all(['evil.example', '127.0.0.1:1', 'localhost', '[::1]:3'].map(named)),
      [403, 200, 200, 200]
    )
  })

  it('accepts requests of pages from other origins only if configured', async () => {
    const origin = { origin: 'https://chat.example' }
    const preflight = () =>
      fetch(`${app.url}/v1/chat/completions`, {
        method: 'OPTIONS',
        headers: { ...origin, 'access-control-request-method': 'POST' }
      })
    await start(tinySource())
    assert.equal((await preflight()).headers.get('access-control-allow-origin'), null)
    await app.close()
    await start(tinySource(), { cors: ['https://chat.example'], apiKeys: ['key'] })
    const allowed = await preflight()
    assert.deepEqual(
      [allowed.status, allowed.headers.get('access-control-allow-origin')],
      [204, origin.origin]
    )
    const headers = { ...origin, authorization: 'Bearer key' }
    const stream = await post(`${app.url}/v1/completions`, { ...COMPLETION, stream: true }, { headers })
    assert.equal(stream.headers.get('access-control-allow-origin'), origin.origin)
    await stream.text()
    const refused = await post(`${app.url}/v1/completions`, COMPLETION, { headers: origin })
    assert.deepEqual(
      [refused.status, refused.headers.get('access-control-allow-origin')],
      [401, origin.origin]
    )
  })

  it('reports that it is loading until it has a source', async () => {
    const { url, endpoint } = await start(undefined)
    for (const answer of [fetch(`${url}/v1/models`), post(`${url}/v1/chat/completions`, CHAT)]) {
      const response = await answer
      assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '2'])
      assert.equal(((await response.json()) as { error: { code: string } }).error.code, 'model_loading')
    }
    assert.deepEqual(await (await fetch(`${url}/health`)).json(), { status: 'loading' })
    endpoint.use(tinySource())
    assert.equal((await fetch(`${url}/health`)).status, 200)
    assert.equal((await post(`${url}/v1/chat/completions`, CHAT)).status, 200)
  })

  it('runs a limited number of requests, queues more, and tells further ones when to retry', async () => {
    const limits = { requests: 1, requestsPerClient: 1, waiting: 1, waitingPerClient: 1 }
    await start(tinySource({ context: 1e6 }), { limits })
    const path = `${app.url}/v1/completions`
    const leaving = [new AbortController(), new AbortController()]
    const first = await post(path, ENDLESS, { signal: leaving[0]!.signal })
    const second = post(path, ENDLESS, { signal: leaving[1]!.signal })
    second.catch(() => undefined)
    await comes(async () => (await metric(app, 'loam_serve_waiting_requests')) === 1)
    const third = await post(path, COMPLETION)
    assert.deepEqual([third.status, third.headers.get('retry-after')], [429, '1'])
    assert.equal(((await third.json()) as { error: { code: string } }).error.code, 'queue_full')
    // A queued client that leaves frees a place in the queue, and a running one frees a slot.
    leaving[1]!.abort()
    await comes(async () => (await metric(app, 'loam_serve_waiting_requests')) === 0)
    const fourth = post(path, COMPLETION)
    leaving[0]!.abort()
    assert.equal((await fourth).status, 200)
    await first.body!.cancel().catch(() => undefined)
    await comes(async () => (await metric(app, 'loam_serve_requests_total{outcome="left"}')) === 2)
  })

  it('takes turns between clients: a short request finishes while long ones of another client run', async () => {
    await start(tinySource({ context: 1e6 }), { apiKeys: ['a', 'b'] })
    const path = `${app.url}/v1/completions`
    const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } })
    const long = await Promise.all(
      [1, 2, 3, 4, 5].map(() => Promise.race([post(path, ENDLESS, as('a')), delay(50)]))
    )
    assert.equal((await post(path, COMPLETION, as('b'))).status, 200)
    for (const response of long) if (response instanceof Response) await response.body!.cancel()
  })

  it('reports an error before the first token by its status, and a later one as a chunk', async () => {
    const path = () => `${app.url}/v1/completions`
    const faults: readonly [Error, number, string, string | null][] = [
      [new RemoteError('unreachable', 'connection refused'), 502, 'remote_unreachable', null],
      [new RemoteError('busy', 'slow down'), 429, 'remote_busy', null],
      [new RemoteError('changed', 'another model'), 503, 'remote_changed', 'true'],
      [new RemoteError('garbage', 'no answer'), 502, 'remote_garbage', 'false']
    ]
    for (const [error, status, code, retry] of faults) {
      await start(failing(0, error))
      const response = await post(path(), { ...COMPLETION, stream: true })
      assert.deepEqual([response.status, response.headers.get('x-should-retry')], [status, retry])
      assert.equal(((await response.json()) as { error: { code: string } }).error.code, code)
      await app.close()
    }
    await start(failing(2, new RemoteError('unreachable', 'connection refused')))
    const response = await post(path(), { ...COMPLETION, stream: true })
    assert.equal(response.status, 200)
    const { events, isDone } = parseEvents(await response.text())
    assert.deepEqual([events.length, isDone], [3, false])
    assert.match(JSON.stringify(events.at(-1)), /^\{"error":\{"message":"the remote: connection refused"/)
    assert.equal(app.failures.length, 1)
    await app.close()
    await start(failing(0, new Error('/secret/path')))
    const unforeseen = await post(path(), COMPLETION)
    assert.equal(unforeseen.status, 500)
    assert.doesNotMatch(await unforeseen.text(), /secret/)
    assert.match(String(app.failures[0]!.cause), /secret/)
  })

  it('uses a new source for new texts, while running ones finish with theirs', async () => {
    const disposed: string[] = []
    const named = (name: string): TextSource => ({
      ...tinySource({ context: 1e6 }),
      name,
      dispose: async () => void disposed.push(name)
    })
    const { url, endpoint } = await start(named('tiny'))
    const leaving = new AbortController()
    const before = await post(`${url}/v1/completions`, ENDLESS, { signal: leaving.signal })
    endpoint.use(named('next'))
    assert.deepEqual(disposed, [])
    assert.equal((await post(`${url}/v1/completions`, { ...COMPLETION, model: 'next' })).status, 200)
    assert.equal((await post(`${url}/v1/completions`, COMPLETION)).status, 404)
    const reader = before.body!.getReader()
    for (let piece = 0; piece < 20; piece++) assert.ok(!(await reader.read()).done)
    leaving.abort()
    await comes(() => disposed.length === 1)
    assert.deepEqual(disposed, ['tiny'])
    await app.close()
    assert.deepEqual(disposed, ['tiny', 'next'])
  })

  it('lets texts finish on close, or aborts them', async () => {
    await start(tinySource())
    const under = post(`${app.url}/v1/completions`, { ...COMPLETION, max_tokens: 100 })
    await comes(async () => (await metric(app, 'loam_serve_active_requests')) === 1)
    await app.close(10_000)
    assert.equal((await under).status, 200)
    await start(tinySource({ context: 1e6 }))
    const endless = await post(`${app.url}/v1/completions`, ENDLESS)
    await app.close()
    const { events, isDone } = parseEvents(await endless.text())
    assert.ok(!isDone)
    assert.match(JSON.stringify(events.at(-1)), /the server is shutting down/)
  })

  it('leaks nothing over three hundred texts, some of them abandoned midway', async () => {
    const { load, grownBytes, failures } = await askShortly(300)
    assert.deepEqual(load, { sessions: 0, cachedTokens: 0, requests: 0 })
    assert.deepEqual(failures, [])
    assert.ok(grownBytes < 3e6, `the heap grew by ${grownBytes} bytes over 200 texts`)
  })
})
