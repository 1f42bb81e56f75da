import assert from 'node:assert/strict'
import Fastify from 'fastify'
import { serveMemberLogits } from '../../../src/node/control/logits-routes.ts'
import { serveLogits } from '../../../src/node/logits/logits-server.ts'
import { createMemberTransport } from '../../../src/node/logits/member-transport.ts'
import {
  connectLogitsServer,
  createHttpTransport,
  createServiceTransport,
  type LogitsTransport,
  type Remote,
  type RemoteError,
  type RemoteFault,
  TransportError
} from '../../../src/prada/remotes/index.ts'
import type { LogitsService } from '../../../src/prada/server/index.ts'
import {
  DEFAULT_PRADA_SETTINGS,
  naiveTokens,
  type PradaComponents,
  startPradaText
} from '../../../src/prada/session/index.ts'
import { until } from '../../support/until.ts'
import { remoteOf, serviceOf } from '../../unit/prada/small-remote.ts'
import { nearTable, randomTable, tableModel } from '../../unit/prada/table-model.ts'
import { startHost, stopHosts, type TestHost } from '../network/hosts.ts'
import { listen } from './logits-app.ts'

const SIZE = 40
const table = randomTable(4, SIZE, 2)
const REQUEST = { ids: [1, 2], maxTokens: 24, seed: 3, temperature: 1 }

function parts(): Omit<PradaComponents, 'remote'> {
  const base = tableModel(nearTable(table, 5, 0.7), SIZE)
  return {
    proxy: { base, adapted: tableModel(nearTable(table, 6, 0.7), SIZE) },
    vocabularySize: SIZE,
    now: () => performance.now()
  }
}

async function tokensOf(remote: Remote): Promise<number[]> {
  const text = startPradaText({ ...parts(), remote }, { ...DEFAULT_PRADA_SETTINGS, draftLength: 4 }, REQUEST)
  const ids: number[] = []
  for await (const { id, exact } of text.tokens) {
    assert.ok(exact)
    ids.push(id)
  }
  return ids
}

function withByte(bytes: Uint8Array, place: number, value: number): Uint8Array {
  const changed = bytes.slice()
  changed[place] = value
  return changed
}

describe('the logits server of a member, over libp2p', function () {
  this.timeout(30_000)
  const quick = { attempts: 2, pauseMaxMs: 5, timeoutMs: 5_000 }
  let truth: number[]
  let server: TestHost
  let client: TestHost
  let service: LogitsService
  let members: Set<string>
  let stop: () => Promise<void>

  const serve = async (positionsPerMinute = 1e9): Promise<void> => {
    stop = await serveLogits(server, {
      transport: createServiceTransport(service),
      isMember: (peer) => members.has(peer.toString()),
      positionsPerMinute,
      log: server.log
    })
  }
  const transportOf = (host: TestHost): LogitsTransport => createMemberTransport(host, server.peerId)

  before(async () => {
    const components = { ...parts(), remote: await remoteOf(tableModel(table, SIZE)) }
    truth = await naiveTokens(components, { alpha: 1, precision: 'float16' }, REQUEST)
    server = await startHost({})
    client = await startHost({ bootstrap: [server] })
    await until(() => client.peers().length === 1)
  })
  beforeEach(async () => {
    service = serviceOf(tableModel(table, SIZE), { sessionsPerClient: 100 })
    members = new Set([client.peerId.toString()])
    await serve()
  })
  afterEach(() => stop())
  after(stopHosts)

  it('gives the tokens of naive sampling and of HTTP', async () => {
    const remote = await connectLogitsServer(transportOf(client))
    assert.deepEqual(await tokensOf(remote), truth)
    const app = await listen(serviceOf(tableModel(table, SIZE)))
    const http = createHttpTransport({ url: app.url })
    assert.deepEqual(await tokensOf(await connectLogitsServer(http)), truth)
    http.dispose()
    await app.close()
    assert.deepEqual(service.load, { sessions: 0, cachedTokens: 0, requests: 0 })
  })

  it('streams position by position: each record is sent before the next is computed, and a client may leave', async () => {
    await stop()
    const inner = createServiceTransport(service)
    let pieces = 0
    let open = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    stop = await serveLogits(server, {
      transport: {
        ...inner,
        async *verify(...args) {
          for await (const piece of inner.verify(...args)) {
            if (pieces++ > 0) await gate
            yield piece
          }
        }
      },
      isMember: () => true,
      positionsPerMinute: 1e9,
      log: server.log
    })
    const remote = await connectLogitsServer(transportOf(client))
    const signal = AbortSignal.timeout(20_000)
    const text = await remote.start(SIZE, signal)
    const draft = { count: 5, settings: { temperature: 1 }, seed: 3, stream: 0, rows: false }
    const trip = { ids: [1, 2], positions: [[]], topK: 4, precision: 'float16', draft } as const
    const answer = text.trip(trip, signal)
    const first = await answer.next()
    assert.ok(!first.done && first.value.draft !== undefined)
    await answer.return(undefined)
    open()
    const again = text.trip({ ...trip, draft: { ...draft, count: 2 } }, signal)
    const records: unknown[] = []
    for await (const record of again) records.push(record)
    assert.equal(records.length, 3)
    assert.deepEqual(records[0], first.value)
    await text.close()
  })

  it('serves several texts of a member at once, within its limit', async () => {
    const remote = await connectLogitsServer(transportOf(client))
    const texts = await Promise.all(Array.from({ length: 8 }, () => tokensOf(remote)))
    for (const ids of texts) assert.deepEqual(ids, truth)
    assert.ok(!server.log.messages.some((message) => message.includes('too many requests')))
  })

  it('serves current members only', async () => {
    members.clear()
    await assert.rejects(
      connectLogitsServer(transportOf(client), quick),
      (error: RemoteError) => error.fault === 'refused' && /current members alone/.test(error.message)
    )
  })

  it('keeps the sessions of members apart', async () => {
    const other = await startHost({ bootstrap: [server] })
    await until(() => other.peers().length >= 1)
    members.add(other.peerId.toString())
    const signal = AbortSignal.timeout(10_000)
    const session = await transportOf(client).open(SIZE, signal)
    await assert.rejects(transportOf(other).close(session, signal), /no such session/)
    await transportOf(client).close(session, signal)
    await other.stop()
  })

  it('applies limits per member', async () => {
    const signal = AbortSignal.timeout(10_000)
    const transport = transportOf(client)
    for (let index = 0; index < 8; index++) await transport.open(SIZE, signal)
    await assert.rejects(transport.open(SIZE, signal), /a member may have 8 sessions/)
    await stop()
    await serve(10)
    const remote = await connectLogitsServer(transportOf(client), quick)
    await assert.rejects(
      tokensOf(remote),
      (error: RemoteError) => error.fault === 'busy' && /10 positions a minute/.test(error.message)
    )
  })

  it('says what to do when a member does not serve logits', async () => {
    await stop()
    await assert.rejects(
      connectLogitsServer(transportOf(client), quick),
      /serves no logits: it has to run loam peer --serve-logits/
    )
  })

  it('that dies mid-text causes one clear error', async () => {
    const dying = await startHost({})
    await serveLogits(dying, {
      transport: createServiceTransport(service),
      isMember: () => true,
      positionsPerMinute: 1e9,
      log: dying.log
    })
    client.addAddresses(dying.multiaddrs())
    await until(() => client.peers().some((peer) => peer.equals(dying.peerId)))
    const remote = await connectLogitsServer(createMemberTransport(client, dying.peerId), quick)
    const text = startPradaText(
      { ...parts(), remote },
      { ...DEFAULT_PRADA_SETTINGS, draftLength: 1 },
      REQUEST
    )
    const ids: number[] = []
    await assert.rejects(
      async () => {
        for await (const { id } of text.tokens) if (ids.push(id) === 5) await dying.stop()
      },
      (error: RemoteError) => error.name === 'RemoteError' && error.fault === 'unreachable'
    )
    assert.deepEqual(ids, truth.slice(0, ids.length))
  })

  const LIES: Record<string, [RemoteFault, RegExp, (answer: Uint8Array) => Promise<Uint8Array>]> = {
    'half an answer': ['garbage', /ended after/, async (answer) => answer.subarray(0, answer.length / 2)],
    'another model': ['changed', /became another model/, async (answer) => withByte(answer, 1, 0)],
    'another k': ['garbage', /ids, 1 were asked for/, async (answer) => withByte(answer, 10, 2)],
    'a highest value that is not 0': [
      'garbage',
      /highest relative log-probability is -/,
      async (answer) => withByte(withByte(answer, 12, 0), 13, 0x7e)
    ],
    silence: ['unreachable', /did not answer within 1 s/, () => new Promise(() => undefined)],
    'an error of its own': [
      'unreachable',
      /does not answer \(2 attempts\)/,
      () => Promise.reject(new Error('out of memory'))
    ],
    'being told off for ever': [
      'busy',
      /slow down \(2 attempts\)/,
      () => Promise.reject(new TransportError('busy', 'slow down', { retryAfterMs: 1 }))
    ]
  }
  for (const [name, [fault, message, meddle]] of Object.entries(LIES))
    it(`causes one clear error and no wrong token: ${name}`, async () => {
      await stop()
      const transport = createServiceTransport(service)
      let answers = 0
      stop = await serveLogits(server, {
        transport: {
          ...transport,
          async *verify(request, bytesMax, signal) {
            const pieces: Uint8Array[] = []
            for await (const piece of transport.verify(request, bytesMax, signal)) pieces.push(piece)
            yield answers++ < 2 ? Buffer.concat(pieces) : await meddle(Buffer.concat(pieces))
          }
        },
        isMember: () => true,
        positionsPerMinute: 1e9,
        log: server.log
      })
      const timeoutMs = name === 'silence' ? 1_000 : 5_000
      const remote = await connectLogitsServer(transportOf(client), { ...quick, timeoutMs })
      const text = startPradaText(
        { ...parts(), remote },
        { ...DEFAULT_PRADA_SETTINGS, draftLength: 2 },
        REQUEST
      )
      const ids: number[] = []
      await assert.rejects(
        async () => {
          for await (const { id } of text.tokens) ids.push(id)
        },
        (error: RemoteError) => error.fault === fault && message.test(error.message)
      )
      assert.ok(ids.length > 0)
      assert.deepEqual(ids, truth.slice(0, ids.length))
    })

  it('rejects and logs malformed requests', async () => {
    const { request } = await import('../../../src/node/network/index.ts')
    const ask = (bytes: Uint8Array) =>
      request(client, server.peerId, '/loam/logits/1', bytes, { timeoutMs: 5_000, maxResponseBytes: 1_000 })
    for (const bytes of [[9], [2, 1], [3, 1, 2, 3], [4, 0]]) await assert.rejects(ask(Uint8Array.from(bytes)))
    assert.ok(server.log.messages.some((message) => message.includes('a request was not answered')))
  })

  it('is reached through the daemon of a home, with the token of its control API', async () => {
    const app = Fastify({ forceCloseConnections: true })
    const guarded = {
      onRequest: async (
        request: { headers: { authorization?: string } },
        reply: { code(code: number): { send(body: object): unknown } }
      ) =>
        request.headers.authorization === 'Bearer sesame'
          ? undefined
          : reply.code(401).send({ error: 'a token is needed' })
    }
    serveMemberLogits(app, () => transportOf(client), guarded as never)
    const address = await app.listen({ host: '127.0.0.1', port: 0 })
    const url = `${address}/members/${server.peerId}`
    const through = createHttpTransport({ url, apiKey: 'sesame' })
    assert.deepEqual(await tokensOf(await connectLogitsServer(through, quick)), truth)
    const without = createHttpTransport({ url })
    await assert.rejects(connectLogitsServer(without, quick), /401, a token is needed/)
    members.clear()
    await assert.rejects(connectLogitsServer(through, quick), /current members alone/)
    through.dispose()
    without.dispose()
    await app.close()
  })
})
