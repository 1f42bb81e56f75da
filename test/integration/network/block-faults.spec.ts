import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { lpStream } from '@libp2p/utils'
import { sha256Hex } from '../../../src/formats/index.ts'
import { NetworkError } from '../../../src/node/network/index.ts'
import { loadCompression } from '../../../src/node/network/transfer/compression.ts'
import {
  BLOCK_SERVER_LIMITS,
  BLOCKS_PROTOCOL,
  type BlockServerLimits,
  BlockSession,
  type FetchLimits,
  serveBlocks,
  startBlockExchange
} from '../../../src/node/network/transfer/index.ts'
import { encodeBlockAnswer, encodeBlockRequest } from '../../../src/node/network/transfer/messages.ts'
import { BlockStore } from '../../../src/node/storage/index.ts'
import { until } from '../../support/until.ts'
import { startHost, stopHosts, type TestHost } from './hosts.ts'

const MiB = 1024 * 1024

interface Block {
  readonly digest: string
  readonly bytes: Uint8Array
}

const blocksOf = (count: number, length: number): Block[] =>
  Array.from({ length: count }, () => {
    const bytes = randomBytes(length)
    return { digest: sha256Hex(bytes), bytes }
  })
const wantedOf = (blocks: readonly Block[]) =>
  blocks.map(({ digest, bytes }) => ({ digest, bytes: bytes.length }))

describe('faults in the block exchange', function () {
  this.timeout(30_000)
  let folder: string
  let asker: TestHost
  const stops: (() => Promise<void>)[] = []
  const signal = new AbortController().signal

  /** A host that is connected to the asker. */
  const startPeer = async () => {
    const host = await startHost({ bootstrap: [asker] })
    await until(() => asker.libp2p.getConnections(host.peerId).length > 0)
    return host
  }
  const startProvider = async (blocks: readonly Block[], limits: Partial<BlockServerLimits> = {}) => {
    const host = await startPeer()
    const all = new Map(blocks.map(({ digest, bytes }) => [digest, bytes]))
    await serveBlocks(host, { getToServe: async (digest) => all.get(digest) }, host.log, {
      limits: { ...BLOCK_SERVER_LIMITS, ...limits }
    })
    return host
  }
  /** A peer that requests on as many streams as allowed, ignores refusals, and always has a request pending. */
  const graspAll = async (provider: TestHost, digests: readonly string[]) => {
    const greedy = await startPeer()
    greedy.addAddresses(provider.multiaddrs())
    await until(() => greedy.libp2p.getConnections(provider.peerId).length > 0)
    let isOver = false
    let taken = 0
    const grasp = async () => {
      const session = await BlockSession.open(greedy, provider.peerId)
      await session.ask(digests)
      while (!isOver) {
        await session.ask(digests)
        for (const _ of digests) if ((await session.answer()).status === 'found') taken++
      }
      session.abort(new Error('enough'))
    }
    const grasping = Array.from({ length: BLOCK_SERVER_LIMITS.streamsPerPeer }, grasp)
    await until(() => taken > 0)
    return {
      taken: () => taken,
      async stop() {
        isOver = true
        await Promise.all(grasping)
      }
    }
  }
  const openStore = async (home: string) => BlockStore.open(home, asker.log)
  const exchangeOf = async (host: TestHost, store: BlockStore, fetching: Partial<FetchLimits> = {}) => {
    const exchange = await startBlockExchange(host, store, host.log, { fetching })
    stops.push(() => exchange.stop())
    return exchange
  }
  const received = (host: TestHost) => host.traffic.totals().get('blocks')?.received ?? 0

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-block-faults-'))
    asker = await startHost({})
  })
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
    await stopHosts()
    await rm(folder, { recursive: true })
  })

  it('resume after a restart with the blocks on disk', async () => {
    const blocks = blocksOf(6, MiB)
    const half = blocks.slice(0, 3)
    const exchange = await exchangeOf(asker, await openStore(folder))
    const cut = new AbortController()
    const provider = await startProvider(half)
    const interrupted = exchange.fetchAll(wantedOf(blocks), () => [provider.peerId], {
      signal: cut.signal,
      onProgress: ({ blocksHeld }) => blocksHeld === 3 && cut.abort()
    })
    await assert.rejects(interrupted, (error) => error instanceof NetworkError && error.code === 'aborted')
    assert.equal(received(asker), 3 * MiB)

    const restarted = await startPeer()
    const store = await openStore(folder)
    const again = await exchangeOf(restarted, store)
    const whole = await startProvider(blocks)
    restarted.addAddresses(whole.multiaddrs())
    await until(() => restarted.libp2p.getConnections(whole.peerId).length > 0)
    await again.fetchAll(wantedOf(blocks), () => [whole.peerId], { signal })
    assert.equal(received(restarted), 3 * MiB, 'only missing blocks were fetched')
    for (const { digest, bytes } of blocks) assert.equal(Buffer.compare((await store.get(digest))!, bytes), 0)
  })

  it('such as a provider that stalls mid-block end at the deadline, and another provider sends the block', async () => {
    const blocks = blocksOf(1, 300_000)
    const hanging = await startPeer()
    let begun = 0
    await hanging.libp2p.handle(BLOCKS_PROTOCOL, async (stream) => {
      begun++
      const frames = lpStream(stream)
      await frames.read()
      await frames.write(encodeBlockAnswer({ status: 'found', length: 300_000 }))
      await frames.write(blocks[0]!.bytes.subarray(0, 100_000))
    })
    const store = await openStore(folder)
    const exchange = await exchangeOf(asker, store, { frameTimeoutMs: 200 })
    const honest = await startProvider(blocks)
    const failed = () => asker.log.messages.some((text) => text.includes('no answer within 200 ms'))
    await exchange.fetchAll(wantedOf(blocks), () => (failed() ? [honest.peerId] : [hanging.peerId]), {
      signal
    })
    assert(begun > 0 && failed())
    assert((await store.get(blocks[0]!.digest)) !== undefined)
    assert(!asker.libp2p.getConnections(hanging.peerId).some(({ streams }) => streams.some(isBlocks)))
  })

  it('such as compressed blocks that are damaged, wrong or unrequested end the stream', async () => {
    const [block] = blocksOf(1, 1000) as [Block]
    const compression = await loadCompression()
    const other = new Uint8Array(2000)
    const whole = compression.pack('other', other)!
    for (const [frame, length, options, reason] of [
      [whole, 2000, {}, /not requested/],
      [whole, 2000, { compression }, /arrived with the wrong bytes/],
      [whole, 1000, { compression }, /of the wrong length/],
      [whole.subarray(0, -1), 2000, { compression }, /damaged zstd frame/]
    ] as const) {
      const host = await startPeer()
      await host.libp2p.handle(BLOCKS_PROTOCOL, async (stream) => {
        const frames = lpStream(stream)
        await frames.read()
        await frames.write(encodeBlockAnswer({ status: 'found', length, zstd: frame.length }))
        await frames.write(frame)
      })
      const session = await BlockSession.open(asker, host.peerId, options)
      await session.ask([block.digest])
      await assert.rejects(session.answer(), (error) => {
        assert(error instanceof NetworkError && error.code === 'protocol')
        assert.match(error.message, reason)
        return true
      })
    }
  })

  it('such as unrequested blocks or wrong bytes end the stream and cost the provider its reputation', async () => {
    const [block, other] = blocksOf(2, 1000) as [Block, Block]
    const talkative = async (answer: Uint8Array) => {
      const host = await startPeer()
      await host.libp2p.handle(BLOCKS_PROTOCOL, async (stream) => {
        const frames = lpStream(stream)
        await frames.read()
        await frames.write(encodeBlockAnswer({ status: 'found', length: answer.length }))
        await frames.write(answer)
        await frames.write(encodeBlockAnswer({ status: 'missing' }))
      })
      return host
    }
    for (const [bytes, reason] of [
      [block.bytes, /more data than was requested/],
      [other.bytes, /arrived with the wrong bytes/]
    ] as const) {
      const host = await talkative(bytes)
      const session = await BlockSession.open(asker, host.peerId)
      await session.ask([block.digest])
      const read = async () => {
        for (;;) await session.answer()
      }
      await assert.rejects(read(), (error) => {
        assert(error instanceof NetworkError && error.code === 'protocol')
        assert.match(error.message, reason)
        return true
      })
    }
    const liar = await talkative(other.bytes)
    const honest = await startProvider([block])
    const exchange = await exchangeOf(asker, await openStore(folder))
    const lied = () => asker.log.messages.filter((text) => text.includes('a provider failed')).length
    let asks = 0
    await exchange.fetchAll(
      wantedOf([block]),
      () => {
        asks++
        return lied() > 0 ? [liar.peerId, honest.peerId] : [liar.peerId]
      },
      { signal }
    )
    assert.equal(lied(), 1, 'the liar is not asked again while another peer has the block')
    assert(asks > 0)
  })

  it('such as a client that never reads cost the server one stream for a while, and other clients nothing', async () => {
    const blocks = blocksOf(4, MiB)
    const provider = await startProvider(blocks, { frameTimeoutMs: 300 })
    const digests = blocks.map(({ digest }) => digest)
    const stream = await asker.libp2p.dialProtocol(provider.peerId, BLOCKS_PROTOCOL)
    const frames = lpStream(stream)
    for (let index = 0; index < 4; index++) await frames.write(encodeBlockRequest(digests))
    stream.pause()
    const served = () =>
      provider.libp2p.getConnections(asker.peerId).flatMap(({ streams }) => streams.filter(isBlocks))
    await until(() => served().length > 0)
    const waiting: number[] = []
    await until(() => {
      waiting.push(...served().map(({ writeBufferLength }) => writeBufferLength))
      return served().length === 0
    })
    assert(Math.max(...waiting) <= 512 * 1024, `${Math.max(...waiting)} bytes waited for the asker`)
    assert(provider.log.messages.some((text) => text.includes('nothing was read within 300 ms')))
    const session = await BlockSession.open(asker, provider.peerId)
    await session.ask(digests)
    for (const digest of digests) assert.equal((await session.answer()).digest, digest)
    await session.close()
  })

  it('do not include a busy provider: it says when to retry, and the client waits', async () => {
    const blocks = blocksOf(3, 200_000)
    const busy = await startProvider(blocks, { requestsAtOnce: 0, retryAfterMs: 120 })
    const session = await BlockSession.open(asker, busy.peerId)
    await session.ask(blocks.map(({ digest }) => digest))
    for (const { digest } of blocks) {
      const { at: _at, ...answer } = await session.answer()
      assert.deepEqual(answer, { digest, status: 'busy', retryAfterMs: 120 })
    }
    await session.close()
    // One request at a time for two clients: each gets everything, and nobody counts as failed.
    const store = await openStore(folder)
    const second = await startPeer()
    const otherStore = await BlockStore.open(await mkdtemp(join(folder, 'second-')), second.log)
    const narrow = await startProvider(blocks, { requestsAtOnce: 1, retryAfterMs: 30 })
    second.addAddresses(narrow.multiaddrs())
    await until(() => second.libp2p.getConnections(narrow.peerId).length > 0)
    const exchanges = [await exchangeOf(asker, store), await exchangeOf(second, otherStore)]
    await Promise.all(
      exchanges.map((exchange) => exchange.fetchAll(wantedOf(blocks), () => [narrow.peerId], { signal }))
    )
    assert(!asker.log.messages.concat(second.log.messages).some((text) => text.includes('a provider failed')))
  })

  it('do not include a greedy neighbour: a peer told to retry later is served when it does', async () => {
    const blocks = blocksOf(4, MiB / 2)
    const provider = await startProvider(blocks, { requestsAtOnce: 1, retryAfterMs: 20 })
    const digests = blocks.map(({ digest }) => digest)
    const greedy = await graspAll(provider, digests)
    const session = await BlockSession.open(asker, provider.peerId)
    for (const digest of digests) {
      const answers: string[] = []
      while (answers.at(-1) !== 'found') {
        await session.ask([digest])
        const answer = await session.answer()
        answers.push(answer.status)
        assert(answer.status !== 'missing')
        if (answer.status === 'busy') await delay(answer.retryAfterMs)
      }
      assert(answers.length <= 3, `sent away ${answers.length - 1} times`)
    }
    await greedy.stop()
    await session.close()
    assert(greedy.taken() > digests.length, 'the greedy one was served too')
  })

  it('do not include a greedy neighbour on a limited uplink: a peer with one request at a time gets a third of it', async () => {
    const blocks = blocksOf(4, MiB / 4)
    const provider = await startProvider(blocks, { uploadBytesPerSecond: MiB })
    const digests = blocks.map(({ digest }) => digest)
    const greedy = await graspAll(provider, digests)
    const session = await BlockSession.open(asker, provider.peerId)
    const takenBefore = greedy.taken()
    const count = 8
    for (let index = 0; index < count; index++) {
      await session.ask([digests[index % digests.length]!])
      assert.equal((await session.answer()).status, 'found')
    }
    const takenMeanwhile = greedy.taken() - takenBefore
    await greedy.stop()
    await session.close()
    // Two requests of one peer run concurrently, interleaved with those of others; one block of slack each.
    assert(takenMeanwhile <= 2 * count + 2, `${takenMeanwhile} blocks beside ${count}`)
    assert(takenMeanwhile >= count / 2, 'the greedy one was served too')
  })

  it('do not include a limited uplink: a peer that would wait too long for its turn is told when to retry', async () => {
    const blocks = blocksOf(1, MiB)
    // This uplink carries two chunks in five seconds: two requests are accepted at once.
    const capped = await startProvider(blocks, { uploadBytesPerSecond: 64 * 1024 })
    const askers = [asker, await startPeer(), await startPeer()]
    const sessions = []
    for (const host of askers) {
      if (host !== asker) {
        host.addAddresses(capped.multiaddrs())
        await until(() => host.libp2p.getConnections(capped.peerId).length > 0)
      }
      sessions.push(await BlockSession.open(host, capped.peerId))
    }
    const served = () =>
      capped.libp2p.getConnections().flatMap(({ streams }) => streams.filter(isBlocks)).length
    await until(() => served() === 3)
    for (const session of sessions) await session.ask([blocks[0]!.digest])
    const first = await Promise.race(sessions.map((session) => session.answer()))
    assert(first.status === 'busy')
    assert.equal(first.retryAfterMs, 2000)
    for (const session of sessions) session.abort(new Error('enough'))
  })
})

function isBlocks({ protocol }: { protocol: string }): boolean {
  return protocol === BLOCKS_PROTOCOL
}
