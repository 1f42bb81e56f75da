import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PeerId } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { BLOCK_BYTES_MAX } from '../../../src/adapter/index.ts'
import { sha256Hex } from '../../../src/formats/index.ts'
import { NetworkError } from '../../../src/node/network/index.ts'
import {
  BLOCK_SERVER_LIMITS,
  BLOCKS_PROTOCOL,
  type BlockExchange,
  type BlockExchangeOptions,
  BlockSession,
  DIGESTS_PER_REQUEST_MAX,
  serveBlocks,
  startBlockExchange
} from '../../../src/node/network/transfer/index.ts'
import { encodeBlockAnswer, encodeBlockRequest } from '../../../src/node/network/transfer/messages.ts'
import { BlockStore, StoreError } from '../../../src/node/storage/index.ts'
import { leftOpen } from '../../support/left-open.ts'
import { until } from '../../support/until.ts'
import { startHost, stopHosts, type TestHost } from './hosts.ts'

interface Peer {
  readonly host: TestHost
  readonly store: BlockStore
  readonly home: string
}

const MiB = 1024 * 1024

function blocksOf(...lengths: number[]) {
  return lengths.map((length) => {
    const bytes = randomBytes(length)
    return { digest: sha256Hex(bytes), bytes }
  })
}

const wantedOf = (blocks: readonly { digest: string; bytes: Uint8Array }[]) =>
  blocks.map(({ digest, bytes }) => ({ digest, bytes: bytes.length }))

describe('the block exchange', function () {
  this.timeout(30_000)
  let folder: string
  let asker: Peer

  const startPeer = async (): Promise<Peer> => {
    const host = await startHost({ bootstrap: asker === undefined ? [] : [asker.host] })
    const home = await mkdtemp(join(folder, 'peer-'))
    return { host, home, store: await BlockStore.open(home, host.log) }
  }
  /** A peer that serves these blocks honestly. */
  const startProvider = async (blocks: readonly { digest: string; bytes: Uint8Array }[]) => {
    const peer = await startPeer()
    for (const { digest, bytes } of blocks) await peer.store.put(digest, bytes)
    await serveBlocks(peer.host, peer.store, peer.host.log)
    return peer
  }
  const exchanges: BlockExchange[] = []
  const exchangeOf = async ({ host, store }: Peer, options: BlockExchangeOptions = {}) => {
    const exchange = await startBlockExchange(host, store, host.log, options)
    exchanges.push(exchange)
    return exchange
  }
  const connected = (...peers: Peer[]) =>
    until(() => peers.every(({ host }) => asker.host.libp2p.getConnections(host.peerId).length > 0))
  const ids = (...peers: Peer[]): PeerId[] => peers.map(({ host }) => host.peerId)
  const received = () => asker.host.traffic.totals().get('blocks')?.received ?? 0
  const never = new AbortController().signal

  const assertHeld = async (blocks: readonly { digest: string; bytes: Uint8Array }[]) => {
    for (const { digest, bytes } of blocks) {
      assert(
        Buffer.compare((await asker.store.get(digest)) ?? new Uint8Array(), bytes) === 0,
        `${digest} is not held`
      )
    }
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-exchange-'))
    asker = undefined as unknown as Peer
    asker = await startPeer()
  })
  afterEach(async () => {
    for (const exchange of exchanges.splice(0)) await exchange.stop()
    await stopHosts()
    await rm(folder, { recursive: true })
  })

  it('transfers 8 MiB from two providers, each block once, with progress', async () => {
    const blocks = blocksOf(MiB, MiB, MiB, MiB, MiB, MiB, MiB, MiB, 1, 200_000)
    const providers = [await startProvider(blocks), await startProvider(blocks)]
    await connected(...providers)
    await asker.store.put(blocks[0]!.digest, blocks[0]!.bytes)
    const progress: number[] = []
    const fetcher = await exchangeOf(asker)
    await fetcher.fetchAll(wantedOf(blocks), () => ids(...providers), {
      signal: never,
      onProgress: ({ blocksHeld, bytesHeld, bytesWanted }) => {
        progress.push(blocksHeld)
        assert(bytesHeld <= bytesWanted)
      }
    })
    await assertHeld(blocks)
    assert.deepEqual(progress, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    assert.equal(received(), 7 * MiB + 200_001)
    for (const { host } of providers) {
      assert((host.traffic.totals().get('blocks')?.sent ?? 0) > 0, 'a provider was not asked')
      await until(() =>
        host.libp2p
          .getConnections()
          .every(({ streams }) => streams.every(({ protocol }) => protocol !== BLOCKS_PROTOCOL))
      )
      assert(!host.log.messages.some((message) => message.includes('ended early')))
    }
  })

  it('transfers a block once when two calls want it at the same time', async () => {
    const blocks = blocksOf(MiB, MiB, MiB)
    const providers = [await startProvider(blocks), await startProvider(blocks)]
    await connected(...providers)
    const fetcher = await exchangeOf(asker)
    const fetch = () => fetcher.fetchAll(wantedOf(blocks), () => ids(...providers), { signal: never })
    await Promise.all([fetch(), fetch(), fetch()])
    await assertHeld(blocks)
    assert.equal(received(), 3 * MiB)
  })

  it('compresses blocks that shrink, between two peers that both support it and no others', async () => {
    const bytes = Uint8Array.from(randomBytes(MiB), (byte, at) => (at % 2 ? byte : 60))
    const blocks = [{ digest: sha256Hex(bytes), bytes }, ...blocksOf(300_000)]
    const provider = await startPeer()
    for (const block of blocks) await provider.store.put(block.digest, block.bytes)
    const plain = await startPeer()
    await connected(provider, plain)
    plain.host.addAddresses(provider.host.multiaddrs())
    await until(() => plain.host.libp2p.getConnections(provider.host.peerId).length > 0)
    const [, fetcher, other] = await Promise.all([
      exchangeOf(provider, { zstd: true }),
      exchangeOf(asker, { zstd: true }),
      exchangeOf(plain)
    ])
    const providers = () => ids(provider)
    await other.fetchAll(wantedOf(blocks), providers, { signal: never })
    await fetcher.fetchAll(wantedOf(blocks), providers, { signal: never })
    await assertHeld(blocks)
    assert.equal(plain.host.traffic.totals().get('blocks')?.received, MiB + 300_000)
    assert(received() < 0.8 * MiB + 300_000 && received() > 0.5 * MiB + 300_000, `${received()} bytes came`)
  })

  it('works around a provider that lies, one that hangs and one that is gone', async () => {
    const blocks = blocksOf(MiB, 300_000, 5)
    const honest = await startProvider(blocks)
    const liar = await startPeer()
    await serveBlocks(liar.host, { getToServe: async () => Buffer.from('something else') }, liar.host.log)
    const hanging = await startPeer()
    await hanging.host.libp2p.handle(BLOCKS_PROTOCOL, () => undefined)
    const gone = await startPeer()
    await connected(honest, liar, hanging, gone)
    await gone.host.stop()
    const fetcher = await exchangeOf(asker, { fetching: { frameTimeoutMs: 200 } })
    // The honest one arrives late, so that each of the others has been asked before.
    let asked = 0
    const others = ids(liar, hanging, gone)
    const failures = () =>
      asker.host.log.messages.filter((message) => message.includes('a provider failed')).length
    await fetcher.fetchAll(
      wantedOf(blocks),
      () => (asked++ > 0 && failures() >= 3 ? [...others, ...ids(honest)] : others),
      {
        signal: never
      }
    )
    await assertHeld(blocks)
    const lies = asker.host.log.messages.filter((message) => message.includes('with the wrong bytes'))
    assert.equal(lies.filter((message) => message.includes('a provider failed')).length, 1)
  })

  it('fetches blocks from peers that have some of them, and leaves the author’s uplink to blocks nobody else has', async () => {
    const blocks = blocksOf(...new Array<number>(24).fill(100_000))
    const digests = blocks.map(({ digest }) => digest)
    const author = await startPeer()
    for (const { digest, bytes } of blocks) await author.store.put(digest, bytes)
    const others = [await startPeer(), await startPeer(), await startPeer()]
    await connected(author, ...others)
    const authored = await exchangeOf(author)
    authored.publish(digests)
    const everybody = [asker, ...others]
    const everywhere = [author, ...everybody].flatMap(({ host }) => host.multiaddrs())
    for (const { host } of everybody) host.addAddresses(everywhere)
    await until(() => everybody.every(({ host }) => host.peers().length === everybody.length))
    const fetches = await Promise.all(
      everybody.map(async (peer) => {
        const exchange = await exchangeOf(peer)
        return () =>
          exchange.fetchAll(wantedOf(blocks), () => [author.host.peerId], {
            signal: never,
            author: author.host.peerId
          })
      })
    )
    await Promise.all(fetches.map((fetch) => fetch()))
    for (const { store } of everybody)
      for (const { digest } of blocks) assert((await store.get(digest)) !== undefined)
    const sent = author.host.traffic.totals().get('blocks')!.sent
    assert(sent <= 2 * 2_400_000, `the author sent ${sent} bytes`)
    for (const { host } of everybody) {
      const { received } = host.traffic.totals().get('blocks')!
      assert(received <= 1.1 * 2_400_000, `${received} bytes came`)
    }
  })

  it('waits while no peer has a block, until one has', async () => {
    const blocks = blocksOf(1000, 2000)
    const providers = [await startProvider([]), await startProvider(blocks.slice(0, 1))]
    await connected(...providers)
    const fetcher = await exchangeOf(asker)
    let held = 0
    const done = fetcher.fetchAll(wantedOf(blocks), () => ids(...providers), {
      signal: never,
      onProgress: ({ blocksHeld }) => {
        held = blocksHeld
      }
    })
    await until(() => held === 1)
    await providers[0]!.store.put(blocks[1]!.digest, blocks[1]!.bytes)
    await done
    await assertHeld(blocks)
  })

  it('refetches a damaged block, and a provider does not serve its own damaged block', async () => {
    const blocks = blocksOf(5000)
    const digest = blocks[0]!.digest
    const providers = [await startProvider(blocks), await startProvider(blocks)]
    await connected(...providers)
    for (const { home } of [asker, providers[0]!]) {
      if (home === asker.home) await asker.store.put(digest, blocks[0]!.bytes)
      const path = join(home, 'blocks', digest)
      const bytes = await readFile(path)
      bytes[77]! ^= 1
      await writeFile(path, bytes)
      // Later than the store wrote it, even with a coarse clock.
      const later = Date.now() / 1000 + 60
      await utimes(path, later, later)
    }
    assert.equal(await asker.store.get(digest), undefined)
    const fetcher = await exchangeOf(asker)
    await fetcher.fetchAll(wantedOf(blocks), () => ids(...providers), { signal: never })
    await assertHeld(blocks)
    assert(!asker.host.log.messages.some((message) => message.includes('with the wrong bytes')))
  })

  it('stops on request and leaves nothing open', async () => {
    const blocks = blocksOf(1000)
    const hanging = await startPeer()
    let opened = 0
    await hanging.host.libp2p.handle(BLOCKS_PROTOCOL, () => void opened++)
    await connected(hanging)
    const controller = new AbortController()
    const fetcher = await exchangeOf(asker)
    const done = fetcher.fetchAll(wantedOf(blocks), () => ids(hanging), { signal: controller.signal })
    await until(() => opened === 1)
    controller.abort()
    await assert.rejects(done, (error) => error instanceof NetworkError && error.code === 'aborted')
    const streams = () => asker.host.libp2p.getConnections().flatMap((connection) => connection.streams)
    assert(!streams().some(({ protocol }) => protocol === BLOCKS_PROTOCOL))
    await assert.rejects(
      fetcher.fetchAll(wantedOf(blocks), () => [], { signal: controller.signal }),
      /aborted/
    )
  })

  it('sets no more timers once its host has stopped, even when it was not stopped itself', async () => {
    const [block] = blocksOf(10)
    await asker.store.put(block!.digest, block!.bytes)
    await startBlockExchange(asker.host, asker.store, asker.host.log)
    // It has no exchange, so that the announcement fails and is retried later.
    await connected(await startPeer())
    await until(() => leftOpen().some((line) => line.includes('availability.js')))
    await stopHosts()
    assert.deepEqual(
      leftOpen().filter((line) => line.includes('availability.js')),
      []
    )
  })

  it('reports a disk that takes no block, and wrong lengths in a manifest', async () => {
    const blocks = blocksOf(1000)
    const provider = await startProvider(blocks)
    await connected(provider)
    const fetcher = await exchangeOf(asker)
    const fetch = (bytes: number) =>
      fetcher.fetchAll([{ digest: blocks[0]!.digest, bytes }], () => ids(provider), { signal: never })
    await assert.rejects(fetch(999), /has 1000 bytes, not the 999 that its manifest or block list says/)
    await assert.rejects(fetch(BLOCK_BYTES_MAX + 1), /cannot have/)
    await rm(join(asker.home, 'blocks'), { recursive: true })
    await assert.rejects(fetch(1000), StoreError)
  })

  it('answers missing and busy, refuses malformed requests, and bounds the answers', async () => {
    const blocks = blocksOf(10)
    const digest = blocks[0]!.digest
    const provider = await startProvider(blocks)
    const overloaded = await startPeer()
    let reads = 0
    const counted = {
      getToServe: async () => {
        reads++
        return undefined
      }
    }
    await serveBlocks(overloaded.host, counted, overloaded.host.log, {
      limits: { ...BLOCK_SERVER_LIMITS, requestsAtOnce: 0 }
    })
    await connected(provider, overloaded)
    const all = async (peer: Peer, digests: string[]) => {
      const session = await BlockSession.open(asker.host, peer.host.peerId)
      await session.ask(digests)
      const answers = []
      for (const _ of digests) answers.push((await session.answer()).status)
      await session.close()
      return answers
    }
    const other = createHash('sha256').update('nobody has it').digest('hex')
    assert.deepEqual(await all(provider, [other, digest, other, other, digest]), [
      'missing',
      'found',
      'missing',
      'missing',
      'found'
    ])
    assert.deepEqual(await all(overloaded, [digest, other]), ['busy', 'busy'])
    const greedy = await BlockSession.open(asker.host, overloaded.host.peerId)
    const many = new Array<string>(DIGESTS_PER_REQUEST_MAX).fill(digest)
    await Promise.all([greedy.ask(many), greedy.ask(many)])
    for (const _ of [...many, ...many]) assert.equal((await greedy.answer()).status, 'busy')
    await greedy.close()
    assert.equal(reads, 0, 'a refused request reads no disk')
    const tooMany = new Array<string>(DIGESTS_PER_REQUEST_MAX + 1).fill(digest)
    for (const malformed of [
      encodeBlockRequest([]),
      encodeBlockRequest(tooMany),
      encodeBlockRequest(['ab']),
      Buffer.from('x'),
      new Uint8Array(20_000)
    ]) {
      const frames = lpStream(await asker.host.libp2p.dialProtocol(provider.host.peerId, BLOCKS_PROTOCOL))
      await frames.write(malformed)
      await assert.rejects(frames.read())
    }
    const giant = await startPeer()
    await giant.host.libp2p.handle(BLOCKS_PROTOCOL, async (stream) => {
      const frames = lpStream(stream)
      await frames.read()
      await frames.write(encodeBlockAnswer({ status: 'found', length: BLOCK_BYTES_MAX + 1 }))
    })
    await connected(giant)
    await assert.rejects(all(giant, [digest]), /malformed answer/)
  })
})
