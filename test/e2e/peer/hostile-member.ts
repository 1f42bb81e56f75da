import { createHash } from 'node:crypto'
import type { PreparedTestnet } from '../../../scripts/testnet/index.ts'
import { shardFromPair } from '../../../src/adapter/index.ts'
import { SYNC_PROTOCOL } from '../../../src/node/catch-up/sync-service.ts'
import { readCharter } from '../../../src/node/home/charter-file.ts'
import { type Identity, loadIdentity } from '../../../src/node/home/identity.ts'
import { openRoundStore } from '../../../src/node/home/round-store.ts'
import { createHost, type NetworkHost, registerRequestHandler } from '../../../src/node/network/index.ts'
import { serveBlocks } from '../../../src/node/network/transfer/index.ts'
import {
  consortiumCid,
  encodeSyncAnswer,
  type Manifest,
  memberIndex,
  type RoundContext,
  type SignedCharter
} from '../../../src/protocol/index.ts'
import { type Message, signMessage } from '../../../src/protocol/messages/message.ts'

const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

/** What is wrong with the blocks of a formally valid manifest. */
export type Trick = 'not finite' | 'too short' | 'never served' | 'cancels' | 'overflows'

/** The value that fills A; 0.01 if the trick is not in the numbers. */
const LARGE: Partial<Record<Trick, number>> = { cancels: 2 ** 40, overflows: 3e36 }

/** A real member's identity on a real libp2p host that signs and sends anything. */
export class HostileMember {
  readonly host: NetworkHost
  readonly identity: Identity
  readonly #charter: SignedCharter
  readonly #prepared: PreparedTestnet
  readonly #blocks = new Map<string, Uint8Array>()
  /** Digests requested by an honest peer. */
  readonly asked = new Set<string>()
  /** Envelopes that it sends to any peer that syncs with it. */
  offered: readonly Uint8Array[] = []
  /** Whether every other answer is one that no honest peer sends. */
  lies = false
  #answers = 0

  private constructor(
    host: NetworkHost,
    identity: Identity,
    charter: SignedCharter,
    prepared: PreparedTestnet
  ) {
    this.host = host
    this.identity = identity
    this.#charter = charter
    this.#prepared = prepared
  }

  /** Takes the place of a member of the testnet and connects to `addresses`. */
  static async join(
    prepared: PreparedTestnet,
    index: number,
    addresses: readonly string[]
  ): Promise<HostileMember> {
    const charter = await readCharter(prepared.charter)
    const identity = (await loadIdentity(prepared.peers[index]!.home.identity))!
    const host = await createHost({
      privateKey: identity.privateKey,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      bootstrap: addresses,
      reach: { mdns: false },
      topic: `/loam/${consortiumCid(charter.id)}/1`,
      isAllowed: () => true,
      validateGossip: () => 'ignore',
      onGossip: () => {},
      log: SILENT
    })
    const member = new HostileMember(host, identity, charter, prepared)
    await host.start()
    await serveBlocks(host, { getToServe: (digest) => member.#serve(digest) }, SILENT)
    const limits = { maxRequestBytes: 1 << 20, maxResponseBytes: 1 << 24, timeoutMs: 30_000, concurrency: 64 }
    const rate = { burst: 1000, perSecond: 1000 }
    await registerRequestHandler(host, SYNC_PROTOCOL, () => member.#answerSync(), { ...limits, rate }, SILENT)
    return member
  }

  /** The current round of an honest peer, from its seals. */
  async context(): Promise<RoundContext> {
    return (await openRoundStore(this.#prepared.peers[0]!.home, this.#charter)).head
  }

  /** A signed manifest of rank 1 over all modules. */
  manifest(context: RoundContext, trick: Trick): Message<'manifest'> {
    const { peer } = this.identity.signer
    let totalBytes = 0
    const shards = context.charter.base.modules.map(({ module, inFeatures, outFeatures }) => {
      // Not the bytes of the previous manifest: a block that is held already would not be fetched.
      const size = (LARGE[trick] ?? 0.01) * (1 + context.round / 1024)
      const rank = trick === 'cancels' ? 2 : 1
      const pair = { module, rank, alpha: 2, inFeatures, outFeatures }
      const A = new Float32Array(rank * inFeatures).fill(size)
      const B = Float32Array.from({ length: rank * outFeatures }, (_, i) => columnOf(trick, i, size))
      const shard = shardFromPair({ ...pair, A, B })
      totalBytes += shard.byteLength
      const blocks = shard.blocks.map(({ bytes }) => this.#spoil(bytes, trick))
      return { ...pair, blocks }
    })
    const body: Manifest = {
      samples: 5,
      dtype: 'f32',
      shards,
      totalBytes,
      reveal: this.identity.revealChain.before(context.members[memberIndex(context, peer)]!.anchor)!
    }
    return signMessage(context, this.identity.signer, 'manifest', 0, body)
  }

  stop(): Promise<void> {
    return this.host.stop()
  }

  /** The digest of a block with the trick in it. */
  #spoil(bytes: Uint8Array, trick: Trick): Uint8Array {
    const block = Buffer.from(trick === 'too short' ? bytes.subarray(0, bytes.length - 4) : bytes)
    if (trick === 'not finite') block.writeFloatLE(Number.NaN, 0)
    if (trick === 'never served') block.writeFloatLE(0.5, 0)
    const digest = createHash('sha256').update(block).digest()
    if (trick !== 'never served') this.#blocks.set(digest.toString('hex'), block)
    return digest
  }

  async #serve(digest: string): Promise<Uint8Array | undefined> {
    this.asked.add(digest)
    return this.#blocks.get(digest)
  }

  async #answerSync(): Promise<Uint8Array> {
    const answer = {
      version: 1 as const,
      round: 1,
      sealedRounds: [],
      attested: 0,
      certificates: [],
      messages: [...this.offered]
    }
    const turn = this.lies ? this.#answers++ % 6 : 0
    if (turn === 1) return Buffer.from('garbage')
    if (turn === 3) return new Uint8Array(6 * 1024 * 1024)
    if (turn === 5)
      return encodeSyncAnswer({ ...answer, round: 999, sealedRounds: [Buffer.from('no round')] })
    return encodeSyncAnswer(answer)
  }
}

/** Element `i` of B: columns that cancel, or nothing beside numbers that overflow, or as A. */
function columnOf(trick: Trick, i: number, size: number): number {
  if (trick === 'cancels') return i % 2 === 0 ? 1 : -1
  return trick === 'overflows' ? 0 : size
}
