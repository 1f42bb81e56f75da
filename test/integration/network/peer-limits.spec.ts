import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import type { Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { registerRequestHandler, request } from '../../../src/node/network/index.ts'
import { MalformedError } from '../../../src/protocol/index.ts'
import { until } from '../../support/until.ts'
import { startHost, stopHosts, type TestHost, untilMeshed } from './hosts.ts'

const PROTOCOL = '/loam/test-limits/1'
const GOSSIP = '/meshsub/1.2.0'
const LIMITS = { maxRequestBytes: 1024, maxResponseBytes: 1024, timeoutMs: 300 }
const BAN_TIMES = { firstMs: 1_000, longestMs: 2_000, forgottenMs: 60_000 }
const SHUT_OUT = 'is banned for repeated protocol violations'

describe('the limits of the network', function () {
  this.timeout(30_000)
  let server: TestHost
  let honest: TestHost
  let hostile: TestHost
  const sockets: Socket[] = []
  const warnings: Error[] = []
  const onWarning = (warning: Error) => void warnings.push(warning)
  before(() => void process.on('warning', onWarning))
  after(() => {
    process.off('warning', onWarning)
    // No false positives of the leak check remain.
    assert.deepEqual(warnings, [])
  })

  const ask = (who: TestHost, text: string) =>
    request(who, server.peerId, PROTOCOL, Buffer.from(text), { timeoutMs: 5_000, maxResponseBytes: 1024 })
  const isShutOut = () => server.limits.bans().some(({ peer }) => peer === hostile.peerId.toString())
  const timesShutOut = () => server.log.messages.filter((message) => message.includes(SHUT_OUT)).length
  const open = async (protocol = PROTOCOL) =>
    hostile.libp2p.dialProtocol(server.peerId, protocol, { maxOutboundStreams: 1_000 })
  /** Opens streams that never negotiate a protocol. */
  const openNameless = async (count: number): Promise<Stream[]> => {
    const [connection] = hostile.libp2p.getConnections(server.peerId)
    const { muxer } = connection as unknown as { muxer: { createStream(): Promise<Stream> } }
    const opened = await Promise.allSettled(Array.from({ length: count }, () => muxer.createStream()))
    return opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  }
  const inbound = () =>
    server.libp2p
      .getConnections(hostile.peerId)
      .flatMap(({ streams }) => streams.filter(({ direction }) => direction === 'inbound'))

  beforeEach(async () => {
    server = await startHost({ banTimes: BAN_TIMES })
    honest = await startHost({ bootstrap: [server] })
    hostile = await startHost({ bootstrap: [server, honest] })
    await untilMeshed(server, honest, hostile)
    const answer = async (bytes: Uint8Array) => {
      if (Buffer.from(bytes).toString() === 'garbage') throw new MalformedError('is garbage')
      return bytes
    }
    await registerRequestHandler(server, PROTOCOL, answer, LIMITS, server.log)
  })
  afterEach(async () => {
    assert.equal(Buffer.from(await ask(honest, 'still there')).toString(), 'still there')
    assert(!server.log.messages.some((message) => message.includes(`${honest.peerId}","seconds`)))
    for (const socket of sockets.splice(0)) socket.destroy()
    await stopHosts()
  })

  it('bans a peer that sends garbage, logs it once, and admits it again later', async () => {
    for (let turn = 0; turn < 5; turn++) await assert.rejects(ask(hostile, 'garbage'))
    assert(isShutOut())
    await until(() => server.libp2p.getConnections(hostile.peerId).length === 0)
    await assert.rejects(ask(hostile, 'hello'))
    assert.equal(timesShutOut(), 1)
    await until(() => !isShutOut())
    await until(async () =>
      ask(hostile, 'hello').then(
        () => true,
        () => false
      )
    )
  })

  it('bans a peer that announces frames longer than any request', async () => {
    for (let turn = 0; turn < 5; turn++) {
      const stream = await open()
      stream.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f))
      await until(() => stream.status !== 'open')
    }
    await until(isShutOut)
  })

  it('bans a peer whose request exceeds its buffer', async () => {
    for (let turn = 0; turn < 5; turn++) {
      const stream = await open()
      lpStream(stream)
        .write(new Uint8Array(512 * 1024))
        .catch(() => undefined)
      await until(() => stream.status !== 'open')
    }
    await until(isShutOut)
  })

  it('closes a stream that trickles at its deadline, and one whose answer is not read', async () => {
    const stream = await open()
    stream.send(Uint8Array.of(100))
    const trickle = setInterval(() => stream.status === 'open' && stream.send(Uint8Array.of(1)), 50)
    await until(() => stream.status !== 'open')
    clearInterval(trickle)
    const unread = await open()
    unread.pause()
    await until(() => inbound().every(({ protocol }) => protocol !== PROTOCOL))
    assert(!isShutOut(), 'being slow is not an offence')
  })

  it('bounds silent streams and the memory they hold', async () => {
    await openNameless(1_000)
    await until(() => inbound().filter(({ protocol }) => protocol === '').length > 0)
    for (let turn = 0; turn < 5; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      assert(inbound().filter(({ protocol }) => protocol === '').length <= 32)
    }
  })

  it('closes a stream that sends data before it negotiates a protocol', async () => {
    const [stream] = await openNameless(1)
    const line = new Uint8Array(1024).fill(0x41)
    for (let sent = 0; stream!.status === 'open'; sent++) {
      assert(sent < 4096, '4 MiB were taken')
      stream!.send(line)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })

  it('bounds the streams per protocol over all connections, and bans a peer that opens more', async () => {
    for (let turn = 0; !isShutOut(); turn++) {
      assert(turn < 20, 'it is never shut out')
      await Promise.allSettled(Array.from({ length: 30 }, () => open()))
      assert(inbound().filter(({ protocol }) => protocol === PROTOCOL).length <= 5)
    }
  })

  it('bans a peer that floods a protocol with bytes', async () => {
    await server.libp2p.handle('/loam/test-flood/1', (stream) => stream.addEventListener('message', () => {}))
    for (let turn = 0; turn < 2; turn++) {
      const stream = await open('/loam/test-flood/1')
      const chunk = new Uint8Array(1024 * 1024)
      for (let sent = 0; sent < 64 && stream.status === 'open'; sent++) {
        // A full buffer is drained, or the stream is closed.
        if (!stream.send(chunk)) await stream.onDrain({ signal: AbortSignal.timeout(10_000) }).catch(() => {})
      }
    }
    await until(isShutOut)
  })

  it('bans a peer whose gossip cannot be decoded', async () => {
    const stream = await open(GOSSIP)
    const frames = lpStream(stream)
    for (let turn = 0; turn < 5; turn++) await frames.write(Buffer.from(`garbage ${turn}`))
    await until(isShutOut)
  })

  it('stores no topics from a neighbour except its own (CVE-2026-46679)', async () => {
    const stream = await open(GOSSIP)
    const frames = lpStream(stream)
    const { topics } = server.libp2p.services.pubsub as { topics: Map<string, unknown> }
    const subscription = (topic: string) => {
      const name = Buffer.from(topic)
      return Buffer.concat([Buffer.of(0x0a, name.length + 4, 0x08, 1, 0x12, name.length), name])
    }
    for (let turn = 0; turn < 200; turn++)
      await frames.write(Buffer.concat(Array.from({ length: 8 }, (_, at) => subscription(`t ${turn} ${at}`))))
    assert(!isShutOut())
    // More in one frame than any of our frames contains.
    for (let turn = 0; turn < 5; turn++)
      await frames.write(Buffer.concat(Array.from({ length: 20 }, (_, at) => subscription(`u ${at}`))))
    await until(isShutOut)
    assert.deepEqual([...topics.keys()], ['/loam/test/1'])
  })

  it('keeps handshake slots free while silent connections pile up', async () => {
    const port = Number(/tcp\/(\d+)/.exec(server.multiaddrs()[0]!)![1])
    let refused = 0
    for (let count = 0; count < 200; count++) {
      const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.9' })
      socket.on('error', () => undefined)
      socket.on('close', () => refused++)
      sockets.push(socket)
    }
    await until(() => refused >= 200 - 32)
    const late = await startHost({ bootstrap: [server] })
    await until(() => late.peers().length === 1)
  })

  it('keeps its connections, and can dial, while silent connections from many addresses take every slot', async () => {
    const port = Number(/tcp\/(\d+)/.exec(server.multiaddrs()[0]!)![1])
    let refused = 0
    const attempts = 5 * 40
    for (let count = 0; count < attempts; count++) {
      const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.0.${20 + (count % 5)}` })
      socket.on('error', () => undefined)
      socket.on('close', () => refused++)
      sockets.push(socket)
    }
    await until(() => refused >= attempts - 128)
    assert.equal(Buffer.from(await ask(honest, 'still there')).toString(), 'still there')
    const other = await startHost({})
    await server.libp2p.dial(other.multiaddrs().map((address) => multiaddr(address)))
    await until(() => other.peers().length === 1)
  })
})
