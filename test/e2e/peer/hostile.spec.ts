import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import type { PeerId } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { SYNC_PROTOCOL } from '../../../src/node/catch-up/sync-service.ts'
import { BLOCKS_PROTOCOL, request } from '../../../src/node/network/index.ts'
import { ADDRESSES_PROTOCOL } from '../../../src/node/network/peers/address-exchange.ts'
import { hex, type RoundContext } from '../../../src/protocol/index.ts'
import { signMessage } from '../../../src/protocol/messages/message.ts'
import { HostileMember, type Trick } from './hostile-member.ts'
import { agree, PeerNetwork } from './peer-network.ts'

const HONEST = [0, 1, 2]
/** Requests of each kind to each honest peer, per round. */
const FLOOD = 8
/** Far above the use of an honest round (about 200 MB), far below that of unbounded queues. */
const MEMORY_BYTES_MAX = 600 * 1024 * 1024

/** Largest resident memory that a process ever had, bytes. */
function peakMemory(pid: number): number {
  return 1024 * Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
}

/** Messages that are each invalid in a different way. */
function falseMessages({ identity: { signer } }: HostileMember, context: RoundContext): Uint8Array[] {
  const ready = { certified: new Uint8Array(1) }
  const honest = context.members.find(({ peer }) => Buffer.compare(peer, signer.peer) !== 0)!
  const forged = signMessage(context, { ...signer, peer: honest.peer }, 'ready', 0, ready).bytes
  const changed = Buffer.from(signMessage(context, signer, 'ready', 0, ready).bytes)
  changed[changed.length - 1]! ^= 1
  const ofRound = (round: number) => signMessage({ ...context, round }, signer, 'ready', 0, ready).bytes
  const elsewhere = { ...context, charterId: Buffer.alloc(32, 7) }
  return [
    Buffer.from('garbage'),
    Buffer.alloc(0),
    Buffer.alloc(120 * 1024, 0xff),
    forged,
    changed,
    ...[1, context.round + 1, context.round + 1000].map(ofRound),
    signMessage(elsewhere, signer, 'ready', 0, ready).bytes,
    signMessage(context, signer, 'ready', 3, ready).bytes,
    signMessage(context, signer, 'endorsement', 200, { manifest: Buffer.alloc(32) }).bytes,
    signMessage(context, signer, 'attestation', 15, {
      cut: Buffer.alloc(32),
      stack: null,
      model: Buffer.alloc(32)
    }).bytes,
    signMessage(context, signer, 'prevote', Number.MAX_SAFE_INTEGER, { cut: null }).bytes
  ]
}

/** Sends one peer far too many requests, in every form of its protocols and some unknown ones. */
async function flood({ host }: HostileMember, peer: PeerId): Promise<void> {
  const ask = (protocol: string, bytes: Uint8Array) =>
    request(host, peer, protocol, bytes, { timeoutMs: 5_000, maxResponseBytes: 1 << 24 })
  const raw = async (protocol: string, bytes: Uint8Array) => {
    const stream = await host.libp2p.dialProtocol(peer, protocol)
    const frames = lpStream(stream, { maxDataLength: 1 << 24 })
    try {
      await frames.write(bytes)
      await frames.read({ signal: AbortSignal.timeout(5_000) })
    } finally {
      stream.abort(new Error('enough'))
    }
  }
  const oversized = new Uint8Array(512 * 1024)
  const attempts = Array.from({ length: FLOOD }, (_, turn) => [
    ask(SYNC_PROTOCOL, Buffer.from(`garbage ${turn}`)),
    ask(SYNC_PROTOCOL, oversized),
    ask(ADDRESSES_PROTOCOL, Buffer.from(`garbage ${turn}`)),
    raw(BLOCKS_PROTOCOL, Buffer.from(`garbage ${turn}`)),
    raw(BLOCKS_PROTOCOL, oversized)
  ])
  await Promise.allSettled(attempts.flat())
}

describe('a hostile member among four', function () {
  this.timeout(240_000)
  let network: PeerNetwork
  let hostile: HostileMember

  before(async () => {
    network = await PeerNetwork.prepare(4)
    await network.start(...HONEST)
    const addresses = HONEST.flatMap((index) => [...network.watches[index]!.addresses])
    hostile = await HostileMember.join(network.prepared, 3, addresses)
    await network.until(() => HONEST.every((index) => network.watches[index]!.progress?.connected === 3))
  })
  after(async () => {
    await hostile?.stop()
    await network.end()
  })

  const isLogged = async (line: RegExp) => {
    const logs = await Promise.all(HONEST.map((index) => network.log(index)))
    return logs.some((log) => line.test(log))
  }

  /** Attacks, round after round, until the honest peers have requested the blocks of the false manifest and validated them. */
  const attackWith = async (trick: Trick, isJudged = async () => true) => {
    const rounds: number[] = []
    for (let asked = false; !asked; ) {
      const context = await hostile.context()
      const manifest = hostile.manifest(context, trick)
      hostile.offered = [manifest.bytes]
      await hostile.host.publish(manifest.bytes).catch(() => undefined)
      await network.untilSealed(context.round, ...HONEST)
      rounds.push(context.round)
      asked =
        manifest.body.shards.some(({ blocks }) => hostile.asked.has(hex(blocks[0]!))) && (await isJudged())
    }
    const { peerId } = network.prepared.peers[3]!
    for (const round of rounds) {
      const { cut } = network.watches[0]!.sealed.find((sealed) => sealed.round === round)!
      assert(!cut.some((entry) => entry.peerId === peerId), `round ${round} holds the false shard`)
    }
    assert(agree(network.watches))
  }

  it('gets no shard with non-finite values accepted', () =>
    attackWith('not finite', () => isLogged(/NaN or infinity/)))

  it('gets no shard whose factors cancel accepted', () =>
    attackWith('cancels', () => isLogged(/proj: the factors cancel or are too large/)))

  it('gets no shard whose factors overflow accepted', () =>
    attackWith('overflows', () => isLogged(/proj: an element of the factors is as large as/)))

  it('gets no shard with truncated blocks accepted, and is not asked for it over and over', () =>
    attackWith('too short', () => isLogged(/fetching a manifest is abandoned/)))

  it('delays nobody with blocks that it never serves', () => attackWith('never served'))

  it('cannot keep honest members from stacking all their shards', async () => {
    const { peerId } = network.prepared.peers[3]!
    const isWhole = (index: number) =>
      network.watches[index]!.sealed.some(
        ({ cut }) => cut.length === HONEST.length && cut.every((entry) => entry.peerId !== peerId)
      )
    await network.until(() => HONEST.every(isWhole))
  })

  it('is banned by every honest member once it lies and floods, and the rounds continue', async () => {
    const begun = Math.max(...HONEST.map((index) => network.lastSealed(index)))
    const context = await hostile.context()
    hostile.lies = true
    hostile.offered = falseMessages(hostile, context)
    await Promise.allSettled(hostile.offered.map((bytes) => hostile.host.publish(bytes)))
    await Promise.all(hostile.host.peers().map((peer) => flood(hostile, peer)))
    await network.until(() => HONEST.every((index) => network.watches[index]!.progress?.connected === 2))
    await network.untilSealed(begun + 2, ...HONEST)
    assert(agree(network.watches))
    const { peerId } = network.prepared.peers[3]!
    for (const index of HONEST) {
      const lines = (await network.log(index))
        .split('\n')
        .filter((line) => line.includes('is banned for repeated protocol violations'))
      assert.equal(lines.length, 1)
      assert(lines[0]!.includes(peerId))
    }
  })

  it('is logged, and neither exhausts memory nor crashes a process', async () => {
    assert(await isLogged(/a message was rejected/))
    for (const index of HONEST) {
      assert.doesNotMatch(
        await network.log(index),
        /unhandled rejection|uncaught exception|could not be handled|carried out/
      )
      if (!existsSync('/proc/self/status')) continue
      const peak = peakMemory(network.pid(index))
      assert(peak < MEMORY_BYTES_MAX, `peer ${index} took ${peak} bytes`)
    }
  })
})
