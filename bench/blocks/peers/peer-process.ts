import '../../../src/node/network/core/promise-polyfill.ts'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromString } from '@libp2p/peer-id'
import { peakMemoryMb } from '../../../lab/processes/peak-memory.ts'
import { sha256Hex } from '../../../src/formats/index.ts'
import { type BlockExchange, createHost, startBlockExchange } from '../../../src/node/network/index.ts'
import { BlockStore } from '../../../src/node/storage/index.ts'
import { growHeapWithTraffic } from '../../../src/node/upkeep/heap-growth.ts'
import { readBare, serveBare } from './bare-stream.ts'
import type { Done, Order } from './messages.ts'

/** A peer of the block benchmark: the daemon's host, store and block exchange, without training and without rounds. */

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const home = await mkdtemp(join(process.env.LOAM_BENCH_TMP ?? tmpdir(), 'loam-bench-blocks-'))
const listen = process.env.LOAM_BENCH_LISTEN ?? '/ip4/127.0.0.1/tcp/0'
let heard = 0
let sentOwn = 0
const published = new Set<string>()
const host = await createHost({
  privateKey: await generateKeyPair('Ed25519'),
  listen: [listen],
  bootstrap: [],
  reach: { mdns: false },
  topic: '/loam/bench/1',
  isAllowed: () => true,
  validateGossip: () => 'accept',
  onGossip: () => {
    heard++
  },
  log: quiet
})
// As `loam peer` does.
growHeapWithTraffic(host.traffic)
const store = await BlockStore.open(home, quiet)
let exchange: BlockExchange

process.on('message', (order: Order) => {
  carryOut(order)
    .catch(
      (error): Done => ({ type: 'failed', reason: error instanceof Error ? error.stack! : String(error) })
    )
    .then((done) => process.send!(done, () => done.type === 'stopped' && process.exit(0)))
})
process.once('disconnect', () => process.exit(1))

async function carryOut(order: Order): Promise<Done> {
  switch (order.type) {
    case 'make':
      return make(order)
    case 'connect':
      await connect(order)
      return { type: 'connected' }
    case 'fetch':
      return { type: 'fetched', ms: await timed(() => fetchAll(order)) }
    case 'read':
      return {
        type: 'read',
        ms: await timed(() => readBare(host, peerIdFromString(order.from), order.bytes))
      }
    case 'gossip':
      await gossip(order)
      return { type: 'gossiped' }
    case 'report': {
      const { received, sent } = host.traffic.totals().get('blocks') ?? { received: 0, sent: 0 }
      const { user, system } = process.cpuUsage()
      const cpuMs = (user + system) / 1e3
      return { type: 'report', received, sent, sentOwn, heard, peakRssMB: peakMemoryMb(), cpuMs }
    }
    case 'stop':
      await exchange.stop()
      await host.stop()
      await rm(home, { recursive: true, force: true })
      return { type: 'stopped' }
  }
}

/** Resolves when this many peers are connected. */
async function connect({ addresses, peers }: Extract<Order, { type: 'connect' }>): Promise<void> {
  const connected = new Promise<void>((resolve) => {
    const look = () => host.peers().length >= peers && resolve()
    host.libp2p.addEventListener('peer:connect', look)
    look()
  })
  host.addAddresses(addresses)
  await connected
}

/** Creates blocks of random bytes and publishes them. */
async function make({ blocks, blockBytes }: Extract<Order, { type: 'make' }>): Promise<Done> {
  const wanted = []
  for (let index = 0; index < blocks; index++) {
    const bytes = randomBytes(blockBytes)
    const digest = sha256Hex(bytes)
    await store.putVerified(digest, bytes)
    wanted.push({ digest, bytes: blockBytes })
  }
  const digests = wanted.map(({ digest }) => digest)
  await store.flush(digests)
  for (const digest of digests) published.add(digest)
  exchange.publish(digests)
  return { type: 'made', publication: { peerId: host.peerId.toString(), wanted } }
}

/** Fetches what others published. Initially only the author is known to have a block, as in a round. */
async function fetchAll({ from }: Extract<Order, { type: 'fetch' }>): Promise<void> {
  await Promise.all(
    from.map(({ peerId, wanted }) => {
      const author = peerIdFromString(peerId)
      const { signal } = new AbortController()
      return exchange.fetchAll(wanted, () => [author], { signal, author })
    })
  )
}

/** Publishes messages one after the other, for as long as there is time. */
async function gossip({ messages, messageBytes, ms }: Extract<Order, { type: 'gossip' }>): Promise<void> {
  const until = performance.now() + ms
  for (let index = 0; index < messages && performance.now() < until; index++) {
    await host.publish(randomBytes(messageBytes)).catch(() => 0)
    // Lets messages from others be received, too.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

await host.start()
exchange = await startBlockExchange(host, store, quiet, {
  onSent(digest, bytes) {
    if (published.has(digest)) sentOwn += bytes
  }
})
await serveBare(host)
const started: Done = { type: 'started', peerId: host.peerId.toString(), addresses: host.multiaddrs() }
process.send!(started)
