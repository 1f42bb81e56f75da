import assert from 'node:assert/strict'
import { lpStream } from '@libp2p/utils'
import {
  NetworkError,
  type RequestLimits,
  registerRequestHandler,
  request,
  requestFrames
} from '../../../src/node/network/index.ts'
import { leftOpen } from '../../support/left-open.ts'
import { until } from '../../support/until.ts'
import { startHost, stopHosts, type TestHost } from './hosts.ts'

const PROTOCOL = '/loam/test-request/1'
const LIMITS: RequestLimits = {
  maxRequestBytes: 64 * 1024,
  maxResponseBytes: 4 * 1024 * 1024,
  timeoutMs: 5000,
  concurrency: 2,
  rate: { perSecond: 1000, burst: 1000 }
}
const OPTIONS = { timeoutMs: 5000, maxResponseBytes: 4 * 1024 * 1024 }

/** Frames of a kilobyte; a negative number of them aborts. */
async function* framesOf(count: number): AsyncGenerator<Uint8Array> {
  for (let frame = 0; frame < Math.abs(count); frame++) yield new Uint8Array(1_000).fill(frame)
  if (count < 0) throw new Error('cannot go on')
}

function failsAs(code: string) {
  return (error: unknown) => error instanceof NetworkError && error.code === code
}

describe('request and response', function () {
  this.timeout(30_000)
  let client: TestHost
  let server: TestHost
  let held: (() => void)[]

  /** Serves with `LIMITS` changed: `echo`, `big:<bytes>`, `frames:<n>`, `hold` (until released) and `fail`. */
  const serve = (change: Partial<RequestLimits> = {}) =>
    registerRequestHandler(
      server,
      PROTOCOL,
      async (bytes) => {
        const text = Buffer.from(bytes).toString()
        if (text === 'hold') await new Promise<void>((resolve) => held.push(resolve))
        if (text === 'fail') throw new Error('cannot')
        if (text.startsWith('frames:')) return framesOf(Number(text.slice(7)))
        return text.startsWith('big:') ? new Uint8Array(Number(text.slice(4))).fill(7) : bytes
      },
      { ...LIMITS, ...change },
      server.log
    )
  const ask = (text: string | Uint8Array, change: Partial<typeof OPTIONS> & { signal?: AbortSignal } = {}) =>
    request(client, server.peerId, PROTOCOL, Buffer.from(text as string), { ...OPTIONS, ...change })

  beforeEach(async () => {
    held = []
    server = await startHost({})
    client = await startHost({ bootstrap: [server] })
    await until(() => client.peers().length === 1)
  })
  afterEach(async () => {
    for (const release of held) release()
    await stopHosts()
  })

  it('aborts pending requests when its host stops, however long a handler takes', async () => {
    await serve({ timeoutMs: 54_321 })
    const asked = assert.rejects(ask('hold'))
    await until(() => held.length === 1)
    await stopHosts()
    await asked
    assert.deepEqual(
      leftOpen().filter((line) => line.includes('54321')),
      []
    )
  })

  it('transfers frames up to the limit', async () => {
    await serve()
    assert.equal(Buffer.from(await ask('hello')).toString(), 'hello')
    assert.equal((await ask('')).length, 0)
    assert.equal((await ask(new Uint8Array(64 * 1024).fill(1))).length, 64 * 1024)
    const big = await ask(`big:${4 * 1024 * 1024}`)
    assert.equal(big.length, 4 * 1024 * 1024)
    assert(big.every((byte) => byte === 7))
    assert.equal(client.traffic.totals().get(PROTOCOL)!.received, 5 + 0 + 64 * 1024 + 4 * 1024 * 1024)
  })

  it('yields the frames of an answer as they arrive, within their total limit', async () => {
    await serve({ maxResponseBytes: 10_000 })
    const frames = async (count: number, maxResponseBytes = 10_000): Promise<Uint8Array[]> => {
      const options = { ...OPTIONS, maxResponseBytes }
      const read: Uint8Array[] = []
      const asked = Buffer.from(`frames:${count}`)
      for await (const frame of requestFrames(client, server.peerId, PROTOCOL, asked, options))
        read.push(frame)
      return read
    }
    const all = await frames(10)
    assert.deepEqual([all.length, all[9]![999]], [10, 9])
    await assert.rejects(frames(3, 2_500), failsAs('protocol'))
    // An aborted stream may look as if it had ended, and is never longer than what was sent.
    for (const [asked, sent] of [
      [-2, 2],
      [11, 10]
    ] as const) {
      const read = await frames(asked).catch((error: unknown) => {
        assert.ok(failsAs('protocol')(error))
        return []
      })
      assert.ok(read.length <= sent)
    }
  })

  it('refuses frames above the limits on either side', async () => {
    await serve({ maxResponseBytes: 1000 })
    await assert.rejects(ask(new Uint8Array(64 * 1024 + 1)), failsAs('protocol'))
    await assert.rejects(ask('big:1001'), failsAs('protocol'))
    await assert.rejects(ask('big:1000', { maxResponseBytes: 999 }), failsAs('protocol'))
    assert.equal((await ask('big:1000')).length, 1000)
  })

  it('gives up at the deadline, on abort, and when the handler fails', async () => {
    await serve({ concurrency: 5 })
    await assert.rejects(ask('hold', { timeoutMs: 100 }), failsAs('timeout'))
    const controller = new AbortController()
    const asked = ask('hold', { signal: controller.signal })
    await until(() => held.length === 2)
    controller.abort()
    await assert.rejects(asked, failsAs('aborted'))
    await assert.rejects(ask('hello', { signal: controller.signal }), failsAs('aborted'))
    await assert.rejects(ask('fail'), failsAs('protocol'))
    assert.equal(Buffer.from(await ask('still here')).toString(), 'still here')
  })

  it('hangs up on a client that sends nothing', async () => {
    await serve({ timeoutMs: 100 })
    const stream = await client.libp2p.dialProtocol(server.peerId, PROTOCOL)
    await assert.rejects(lpStream(stream).read())
    await until(() => server.log.messages.some((message) => message.includes('no answer within 100 ms')))
  })

  it('bounds pending requests per peer, and their rate', async () => {
    const stop = await serve()
    const first = ask('hold')
    const second = ask('hold')
    await until(() => held.length === 2)
    await assert.rejects(ask('hello'), failsAs('protocol'))
    for (const release of held) release()
    await Promise.all([first, second])
    assert.equal((await ask('hello')).length, 5)
    await stop()
    await serve({ rate: { perSecond: 0.001, burst: 2 } })
    await ask('1')
    await ask('2')
    await assert.rejects(ask('3'), failsAs('protocol'))
  })

  it('reports an unsupported protocol and an unreachable peer', async () => {
    await assert.rejects(ask('hello'), failsAs('unreachable'))
    await server.stop()
    await assert.rejects(ask('hello'), failsAs('unreachable'))
  })
})
