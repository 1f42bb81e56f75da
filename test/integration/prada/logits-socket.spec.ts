import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import { connectLogitsServer, createHttpTransport, TransportError } from '../../../src/prada/remotes/index.ts'
import type { LogitsService } from '../../../src/prada/server/index.ts'
import {
  DEFAULT_PRADA_SETTINGS,
  naiveTokens,
  type PradaComponents,
  type PradaStatistics,
  startPradaText
} from '../../../src/prada/session/index.ts'
import { encodeVerifyRequest } from '../../../src/prada/wire/index.ts'
import { serviceOf } from '../../unit/prada/small-remote.ts'
import { nearTable, randomTable, tableModel } from '../../unit/prada/table-model.ts'
import { type LogitsApp, listen } from './logits-app.ts'

const SIZE = 40
const table = randomTable(4, SIZE, 2)
const base = tableModel(nearTable(table, 5, 0.7), SIZE)
const proxy = { base, adapted: tableModel(nearTable(table, 6, 0.7), SIZE) }
const REQUEST = { ids: [1, 2], maxTokens: 40, seed: 3, temperature: 1 }
const NEVER = new AbortController().signal

describe('a logits server over WebSockets', () => {
  let app: LogitsApp
  let service: LogitsService
  before(async () => {
    service = serviceOf(tableModel(table, SIZE))
    app = await listen(service)
  })
  after(() => app.close())

  async function made(url: string): Promise<{ ids: number[]; truth: number[]; statistics: PradaStatistics }> {
    const transport = createHttpTransport({ url })
    try {
      const remote = await connectLogitsServer(transport, { attempts: 3, pauseMaxMs: 5 })
      const components: PradaComponents = {
        ...{ proxy, remote, vocabularySize: SIZE },
        now: () => performance.now()
      }
      const truth = await naiveTokens(components, { alpha: 1, precision: 'float16' }, REQUEST)
      const text = startPradaText(components, { ...DEFAULT_PRADA_SETTINGS, draftLength: 4 }, REQUEST)
      const ids: number[] = []
      for await (const { id } of text.tokens) ids.push(id)
      return { ids, truth, statistics: { ...text.statistics } }
    } finally {
      transport.dispose()
    }
  }

  it('gives the same tokens as by POST, in far fewer bytes', async () => {
    const over = await made(app.url)
    assert.deepEqual(over.ids, over.truth)
    const refusing = await startBetween(app.url, (bytes) => !bytes.includes('GET /v1/logits/socket'))
    try {
      const posted = await made(refusing.url)
      assert.deepEqual(posted.ids, over.ids)
      const bytes = ({ bytesSent, bytesReceived }: PradaStatistics): number => bytesSent + bytesReceived
      assert.ok(over.statistics.contentBytes <= bytes(over.statistics))
      assert.ok(
        bytes(over.statistics) < 0.6 * bytes(posted.statistics),
        `${bytes(over.statistics)} of ${bytes(posted.statistics)}`
      )
    } finally {
      await refusing.close()
    }
  })

  it('asks by POST where what lies between swallows what would open one', async () => {
    const swallowing = await startBetween(app.url, (bytes) =>
      bytes.includes('GET /v1/logits/socket') ? 'swallow' : true
    )
    try {
      const { ids, truth } = await made(swallowing.url)
      assert.deepEqual(ids, truth)
    } finally {
      await swallowing.close()
    }
  })

  it('goes on with another socket where one breaks', async () => {
    let broken = 0
    const breaking = await startBetween(app.url, () => true, {
      onMessage: (socket, messages) => {
        if (messages % 7 !== 6 || broken >= 3) return
        broken++
        socket.destroy()
      }
    })
    try {
      const { ids, truth } = await made(breaking.url)
      assert.deepEqual(ids, truth)
      assert.ok(broken > 0)
    } finally {
      await breaking.close()
    }
  })

  async function opened(headers: Record<string, string> = {}): Promise<WebSocket> {
    const socket = new WebSocket(`${app.url.replace('http', 'ws')}/v1/logits/socket`, 'loam-logits-1', {
      headers
    })
    await once(socket, 'open')
    return socket
  }

  it('answers in order, and ends an answer where a later request takes its place', async () => {
    const { session } = service.open('127.0.0.1', SIZE)
    const socket = await opened()
    const messages: Buffer[] = []
    let ends = 0
    const both = new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        messages.push(data)
        if (data.length === 0 && ++ends === 2) resolve()
      })
    })
    const request = (count: number) =>
      encodeVerifyRequest({
        ...{ session: Buffer.from(session, 'hex'), truncateAt: 0, ids: [1, 2], precision: 'float16' },
        ...{ topK: 2, positions: [[]] },
        draft: { count, settings: { temperature: 1 }, seed: 1, stream: 0, rows: false }
      })
    socket.send(request(400))
    socket.send(request(0))
    await both
    const first = messages.findIndex(({ length }) => length === 0)
    assert.ok(first < 400, `${first} messages`)
    assert.equal(messages.length, first + 3)
    socket.close()
    service.close('127.0.0.1', session)
  })

  it('says why a request is not served, and closes on what is none', async () => {
    const socket = await opened()
    socket.send(Buffer.from('no request'))
    const [refusal, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
    assert.equal(isBinary, false)
    assert.match(refusal.toString(), /"fault":"malformed","status":400/)
    socket.send('text')
    const [code] = (await once(socket, 'close')) as [number]
    assert.equal(code, 1008)
    await assert.rejects(opened({ origin: 'http://example.org' }), /403/)
  })

  it('frees what a client that hangs up has asked for', async () => {
    const transport = createHttpTransport({ url: app.url })
    await transport.describe(NEVER)
    const session = await transport.open(SIZE, NEVER)
    const gone = new AbortController()
    const reason = new Error('enough')
    const request = encodeVerifyRequest({
      ...{ session, truncateAt: 0, ids: [1, 2], precision: 'float16', topK: 2, positions: [[]] },
      draft: { count: 400, settings: { temperature: 1 }, seed: 1, stream: 0, rows: false }
    })
    await assert.rejects(async () => {
      for await (const _ of transport.verify(request, 100_000, gone.signal)) gone.abort(reason)
    }, reason)
    await assert.rejects(async () => {
      for await (const _ of transport.verify(request, 3, NEVER));
    }, TransportError)
    await transport.close(session, NEVER)
    transport.dispose()
    while (service.load.requests > 0) await new Promise((resolve) => setImmediate(resolve))
  })

  it('disconnects a client that reads nothing for as long as a session lives', async () => {
    let ended: (reason: unknown) => void
    const over = new Promise<unknown>((resolve) => {
      ended = resolve
    })
    const flooding: LogitsService = {
      ...service,
      limits: { ...service.limits, expiryMs: 300 },
      async *verify(_client, _request, signal) {
        signal.addEventListener('abort', () => ended(signal.reason))
        while (!signal.aborted) yield new Uint8Array(4 * 1024 * 1024)
      },
      dispose: async () => undefined
    }
    const flooded = await listen(flooding)
    const socket = new WebSocket(`${flooded.url.replace('http', 'ws')}/v1/logits/socket`, 'loam-logits-1')
    await once(socket, 'open')
    socket.on('error', () => undefined)
    socket.pause()
    socket.send(Buffer.from('anything'))
    assert.match(String(await over), /the client has hung up/)
    socket.terminate()
    await flooded.close()
  })
})

/** A relay before a server, which may refuse connections by their first bytes, or break them. */
async function startBetween(
  url: string,
  passes: (bytes: Buffer) => boolean | 'swallow',
  { onMessage }: { readonly onMessage?: (socket: Socket, messages: number) => void } = {}
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>()
  let messages = 0
  const server = createServer((near) => {
    const far = connect(Number(new URL(url).port), '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    }
    near.on('data', (bytes: Buffer) => {
      const passing = passes(bytes)
      if (passing === 'swallow') return
      if (!passing) near.end('HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\n\r\n')
      else far.write(bytes)
    })
    far.on('data', (bytes: Buffer) => {
      near.write(bytes)
      onMessage?.(near, ++messages)
    })
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    }
  }
}
