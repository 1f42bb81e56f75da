import type { PeerId } from '@libp2p/interface'
import { equalBytes, hex } from '../../../protocol/index.ts'
import { peerIdText } from '../../storage/peer-id-text.ts'
import { type RateLimit, TokenBuckets } from '../limits/token-bucket.ts'
import { type CopyProof, type Instance, isValidProof, isYounger } from './instance.ts'

/** Two copies of one identity ran at the same time. */
export interface SeenCopy {
  readonly peerId: string
  /** Whether the identity is this peer's own. */
  readonly isOwn: boolean
  /** Whether this peer is the younger of the two, and has to stop. */
  readonly isYounger: boolean
}

/** How a {@link CopyWatch} works. */
export interface CopyWatchOptions {
  readonly own: Instance
  readonly charterId: Uint8Array
  /** Asks every connection to a peer for proof that it knows of an instance; the proofs that come, soon. */
  readonly confront: (peerId: PeerId, other: Uint8Array) => Promise<CopyProof[]>
  /** Tells every connection to a peer of a proof. */
  readonly tell: (peerId: PeerId, proof: CopyProof) => void
  /** Whether there is more than one connection to a peer. */
  readonly isConnectedTwice: (peerId: PeerId) => boolean
  readonly onCopy: (copy: SeenCopy) => void
}

/** Peers remembered; a consortium has at most 4096 members. */
const PEERS_MAX = 4_096
/** Proofs kept of one peer: an honest one that is copied makes two. */
const PROOFS_MAX = 8
/** Confrontations of one peer: it may change its instance as often as it likes. */
const CONFRONT_RATE: RateLimit = { burst: 8, perSecond: 0.5 }
/** How long after the last sign of them two copies are shown, milliseconds; and how often they are worth a line in the log. */
const SHOWN_MS = 600_000

/**
 * Finds identities of which two copies are running. A restarted peer is never mistaken for one: a dead copy proves
 * nothing. Others prove nothing by their word alone: every proof is signed with the key of which there are two.
 */
export class CopyWatch {
  readonly #options: CopyWatchOptions
  /** The instance heard last, by PeerId. */
  readonly #last = new Map<string, string>()
  readonly #proofs = new Map<string, CopyProof[]>()
  readonly #seen = new Map<string, number>()
  readonly #rate = new TokenBuckets(CONFRONT_RATE)

  constructor(options: CopyWatchOptions) {
    this.#options = options
  }

  /** Identities of which two copies ran of late, with the milliseconds since. */
  copies(): ReadonlyMap<string, number> {
    const now = performance.now()
    return new Map([...this.#seen].map(([peer, at]) => [peer, now - at] as const).filter(isShown))
  }

  /**
   * Takes in which instance of its identity a peer says that it is. Where that was another before, both are asked for proof
   * of each other.
   *
   * @returns the proof of another live instance of the same identity, for that peer; undefined where there is none
   */
  async heard(peerId: PeerId, instance: Uint8Array | undefined): Promise<CopyProof | undefined> {
    if (instance === undefined) return undefined
    const peer = peerId.toString()
    const before = this.#last.get(peer)
    this.#last.delete(peer)
    if (this.#last.size >= PEERS_MAX) this.#last.delete(this.#last.keys().next().value!)
    this.#last.set(peer, hex(instance))
    if (before === undefined || before === hex(instance)) return undefined
    const { isConnectedTwice, confront, charterId } = this.#options
    if (!isConnectedTwice(peerId) || !this.#rate.take(peer, performance.now())) return undefined
    const proofs = await confront(peerId, instance)
    const found = proofs.find(
      (each) => equalBytes(each.other, instance) && isValidProof(bytesOf(peerId), charterId, each)
    )
    if (found === undefined) return undefined
    for (const each of [found, ...(await confront(peerId, found.instance))]) this.#note(peerId, each)
    return found
  }

  /** Takes in a proof about the own identity. @returns whether it holds: another copy of this peer runs */
  told(proof: CopyProof): boolean {
    const { own, charterId } = this.#options
    if (!equalBytes(proof.other, own.id) || !isValidProof(own.peer, charterId, proof)) return false
    this.#see(peerIdText(own.peer), true, isYounger(own, proof))
    return true
  }

  #note(peerId: PeerId, proof: CopyProof): void {
    if (!isValidProof(bytesOf(peerId), this.#options.charterId, proof)) return
    const peer = peerId.toString()
    const known = this.#proofs.get(peer) ?? []
    if (known.some((each) => isSamePair(each, proof))) return
    if (this.#proofs.size >= PEERS_MAX) this.#proofs.clear()
    this.#proofs.set(peer, [...known, proof].slice(-PROOFS_MAX))
    const counterpart = known.find((each) => namesBack(each, proof))
    if (counterpart === undefined) return
    this.#see(peer, false, false)
    for (const each of [proof, counterpart]) this.#options.tell(peerId, each)
  }

  #see(peer: string, isOwn: boolean, younger: boolean): void {
    const now = performance.now()
    const before = this.#seen.get(peer)
    this.#seen.delete(peer)
    if (this.#seen.size >= PEERS_MAX) this.#seen.clear()
    this.#seen.set(peer, now)
    // A peer that has to stop is told so even where it has been told of a copy before.
    if (before !== undefined && now - before < SHOWN_MS && !younger) return
    this.#options.onCopy({ peerId: peer, isOwn, isYounger: younger })
  }
}

function isShown([, sinceMs]: readonly [string, number]): boolean {
  return sinceMs < SHOWN_MS
}

function bytesOf(peerId: PeerId): Uint8Array {
  return peerId.toMultihash().bytes
}

function isSamePair(left: CopyProof, right: CopyProof): boolean {
  return equalBytes(left.instance, right.instance) && equalBytes(left.other, right.other)
}

function namesBack(left: CopyProof, right: CopyProof): boolean {
  return equalBytes(left.instance, right.other) && equalBytes(left.other, right.instance)
}
