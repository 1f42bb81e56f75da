import assert from 'node:assert/strict'
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse
} from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  connectLogitsServer,
  createHttpTransport,
  type Remote,
  type RemoteFault
} from '../../../src/prada/remotes/index.ts'
import {
  DEFAULT_PRADA_SETTINGS,
  naiveTokens,
  type PradaComponents,
  startPradaText
} from '../../../src/prada/session/index.ts'
import { remoteOf, serviceOf } from '../../unit/prada/small-remote.ts'
import { nearTable, randomTable, tableModel } from '../../unit/prada/table-model.ts'
import { type LogitsApp, listen } from './logits-app.ts'

const SIZE = 40
const table = randomTable(4, SIZE, 2)
const base = tableModel(nearTable(table, 5, 0.7), SIZE)
/** How long to wait for a silent server, milliseconds. */
const SILENCE_MS = 1_000
const REQUEST = { ids: [1, 2], maxTokens: 30, seed: 3, temperature: 1 }

/** What a proxy server does to an answer of the real one. */
interface Meddling {
  /** Answers of `/v1/logits/verify` that pass unchanged first. */
  readonly after: number
  /** Answers that it changes; all others if absent. */
  readonly times?: number
  meddle(body: Buffer, response: ServerResponse): void
}

describe('a failing remote', () => {
  let app: LogitsApp
  let truth: number[]
  before(async () => {
    app = await listen(serviceOf(tableModel(table, SIZE)))
    const components = { ...parts(), remote: await remoteOf(tableModel(table, SIZE)) }
    truth = await naiveTokens(components, { alpha: 1, precision: 'float16' }, REQUEST)
  })
  after(() => app.close())

  function parts(): Omit<PradaComponents, 'remote'> {
    const proxy = { base, adapted: tableModel(nearTable(table, 6, 0.7), SIZE) }
    return { proxy, vocabularySize: SIZE, now: () => performance.now() }
  }

  /** Tokens until the end or the error. */
  async function made(
    remote: Remote,
    timed: AbortSignal | undefined = undefined
  ): Promise<{ ids: number[]; error?: Error }> {
    const request = { ...REQUEST, ...(timed && { signal: timed }) }
    const settings = { ...DEFAULT_PRADA_SETTINGS, draftLength: 4 }
    const text = startPradaText({ ...parts(), remote }, settings, request)
    const ids: number[] = []
    try {
      for await (const { id } of text.tokens) ids.push(id)
      return { ids }
    } catch (error) {
      return { ids, error: error as Error }
    }
  }

  async function through(
    meddling: Meddling,
    timeoutMs = 20_000
  ): Promise<{ ids: number[]; error?: Error & { fault?: string } }> {
    const between = await startBetween(app.url, meddling)
    const transport = createHttpTransport({ url: between.url })
    try {
      return await made(await connectLogitsServer(transport, { timeoutMs, attempts: 3, pauseMaxMs: 5 }))
    } finally {
      transport.dispose()
      await between.close()
    }
  }

  const flipped = (place: number, value: number) => (body: Buffer, response: ServerResponse) => {
    body[place] = value
    response.end(body)
  }
  const failing: Record<string, [RemoteFault, RegExp, Meddling['meddle']]> = {
    'an empty answer': ['garbage', /ended after 0 of/, (_, response) => response.end()],
    'half an answer': [
      'garbage',
      /ended after/,
      (body, response) => response.end(body.subarray(0, Math.floor(body.length / 2)))
    ],
    'a byte too much': [
      'garbage',
      /follow the last record/,
      (body, response) => response.end(Buffer.concat([body, Buffer.of(0)]))
    ],
    'a web page': ['garbage', /version 60/, (_, response) => response.end('<html>Welcome</html>')],
    'an endless answer': [
      'garbage',
      /bytes/,
      (body, response) => response.end(Buffer.concat([body, Buffer.alloc(100_000)]))
    ],
    'another version': ['garbage', /version 2/, flipped(0, 2)],
    'another model': ['changed', /became another model/, flipped(1, 0)],
    'another place': ['garbage', /begins behind/, flipped(9, 77)],
    'another k': ['garbage', /ids, 1 were asked for/, flipped(10, 2)],
    'a highest value that is not 0': [
      'garbage',
      /highest relative log-probability is -/,
      (body, response) => {
        // Header of 10 bytes, two counts, and the first bits.
        body.writeUInt16LE(0x7e00, 12)
        response.end(body)
      }
    ],
    silence: ['unreachable', /did not answer within 1 s/, () => undefined],
    'broken connections': ['unreachable', /3 attempts/, (_, response) => response.destroy()],
    'being told off for ever': [
      'busy',
      /429, slow down \(3 attempts\)/,
      (_, response) => response.writeHead(429, { 'retry-after-ms': '1' }).end('{"error":"slow down"}')
    ],
    'an error of its own': [
      'refused',
      /500, out of memory/,
      (_, response) => response.writeHead(500).end('{"error":"out of memory"}')
    ]
  }
  for (const after of [0, 2])
    for (const [name, [fault, message, meddle]] of Object.entries(failing))
      it(`gives one clear error and no wrong token: ${name}, after ${after} answers`, async () => {
        const { ids, error } = await through({ after, meddle }, name === 'silence' ? SILENCE_MS : undefined)
        assert.equal(error?.name, 'RemoteError', String(error))
        assert.equal(error?.fault, fault, String(error))
        assert.match(error!.message, message)
        assert.deepEqual(ids, truth.slice(0, ids.length))
        assert.ok(ids.length < truth.length)
      })

  const passing: Record<string, Meddling['meddle']> = {
    'a throttle': (_, response) =>
      response.writeHead(429, { 'retry-after': '0' }).end('{"error":"slow down"}'),
    'a start': (_, response) => response.writeHead(503).end('{"error":"loading"}'),
    'a broken connection': (_, response) => response.destroy(),
    'a connection that breaks in mid-answer': (body, response) => {
      response.writeHead(200, { 'content-length': body.length }).write(body.subarray(0, body.length - 3))
      setImmediate(() => response.destroy())
    },
    'a forgotten session': (_, response) =>
      response.writeHead(404).end('{"error":"no such session","fault":"unknown-session"}')
  }
  for (const [name, meddle] of Object.entries(passing))
    it(`completes the text after one fault: ${name}`, async () => {
      const { ids, error } = await through({ after: 1, times: 1, meddle })
      assert.equal(error, undefined)
      assert.deepEqual(ids, truth)
    })

  it('is released at once when the text is aborted', async () => {
    const between = await startBetween(app.url, { after: 1, meddle: () => undefined })
    const transport = createHttpTransport({ url: between.url })
    const controller = new AbortController()
    const remote = await connectLogitsServer(transport)
    const ending = made(remote, controller.signal)
    await between.meddled
    controller.abort(new Error('enough'))
    assert.match(String((await ending).error), /enough/)
    transport.dispose()
    await between.close()
  })

  it('leaks nothing on the server over three hundred texts, some of them abandoned midway', async () => {
    const service = serviceOf(tableModel(table, SIZE), { sessionsPerClient: 20 })
    const own = await listen(service)
    const transport = createHttpTransport({ url: own.url })
    const remote = await connectLogitsServer(transport)
    const settings = { ...DEFAULT_PRADA_SETTINGS, draftLength: 3 }
    for (let index = 0; index < 300; index += 10)
      await Promise.all(
        Array.from({ length: 10 }, async (_, offset) => {
          const request = { ...REQUEST, maxTokens: 6, seed: index + offset }
          const text = startPradaText({ ...parts(), remote }, settings, request)
          for await (const _token of text.tokens) if (offset % 3 === 0) break
        })
      )
    assert.deepEqual(service.load, { sessions: 0, cachedTokens: 0, requests: 0 })
    transport.dispose()
    await own.close()
  })
})

/** A proxy in front of the real server that spoils some of its answers. */
async function startBetween(
  target: string,
  { after, times = Number.POSITIVE_INFINITY, meddle }: Meddling
): Promise<{ url: string; meddled: Promise<void>; close(): Promise<void> }> {
  let answers = 0
  let note = (): void => undefined
  const meddled = new Promise<void>((resolve) => {
    note = resolve
  })
  const server: Server = createServer((incoming, response) => {
    if (incoming.headers.upgrade !== undefined) response.writeHead(501).end()
    else void pass(incoming, response)
  })
  const pass = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { status, type, body } = await forward(target, incoming)
    const spoiled = incoming.url === '/v1/logits/verify' && answers++ >= after && answers <= after + times
    if (!spoiled) {
      response.writeHead(status, type === undefined ? {} : { 'content-type': type }).end(body)
      return
    }
    note()
    meddle(body, response)
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    meddled,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

async function forward(
  target: string,
  incoming: IncomingMessage
): Promise<{ status: number; type: string | undefined; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const asking = httpRequest(new URL(incoming.url!, target), {
      method: incoming.method,
      headers: incoming.headers,
      agent: false
    })
    asking.on('error', reject).on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          type: response.headers['content-type'],
          body: Buffer.concat(chunks)
        })
      )
    })
    incoming.pipe(asking)
  })
}
