import type { GossipSub } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { decode as decodeMultihash } from 'multiformats/hashes/digest'
import type { Log } from '../../log/log.ts'
import type { PeerLimits } from '../limits/index.ts'
import { type RateLimit, TokenBuckets } from '../limits/token-bucket.ts'
import { ExcessLog, edgeBudgets } from './message-budget.ts'

/** Messages per neighbour: each costs a signature check. A round of 256 members has 65,000 endorsements. */
const MESSAGE_RATE: RateLimit = { burst: 50_000, perSecond: 2_000 }
/** Frames per neighbour; control messages alone arrive about once a second. */
const FRAME_RATE: RateLimit = { burst: 50_000, perSecond: 2_000 }
/** Messages beyond their authors' budgets that a neighbour may bring before it counts as a flood: no honest one brings any. */
const EXCESS_RATE: RateLimit = { burst: 500, perSecond: 50 }
/** Publishers whose PeerIds are remembered; members are far fewer. */
const PUBLISHERS_MAX = 8_192
/** Budget key of all publishers that are not members, or not known as such yet. */
const STRANGER = 'a stranger'

/** Gossipsub's frame handler, which its published interface omits. */
interface Router {
  pipePeerReadStream(peerId: PeerId, source: AsyncIterable<{ subarray(): Uint8Array }>): Promise<void>
  decodeRpc(bytes: Uint8Array): unknown
  handleReceivedRpc(from: PeerId, rpc: Frame): Promise<void>
}

/** A frame of gossip, decoded; no signature in it is checked yet. */
interface Frame {
  readonly messages?: readonly GossipMessage[]
}

interface GossipMessage {
  /** Who published it, multihash bytes. */
  readonly from?: Uint8Array
}

/** What bounds gossip beside the rates of a neighbour. */
export interface GossipBounds {
  readonly limits: PeerLimits
  /** Whether a publisher is a member. */
  readonly isMember: (peerId: PeerId) => boolean
  /** Trainers of a round: what a round needs of an author grows with them. */
  readonly trainers: () => number
  /** Told of messages that are dropped unread because their author sends more than a round can need. */
  readonly onExcess: (messages: number) => void
  readonly log: Log
}

/**
 * Rate-limits gossip per neighbour, and what each neighbour brings of each author. Gossipsub silently drops frames that it cannot decode; here they count against the
 * sender. Messages above the rate are dropped before their signatures are checked; sync delivers them later.
 *
 * @throws {Error} when gossipsub is not the version that this was written for
 */
export function guardGossip(service: GossipSub, bounds: GossipBounds): void {
  const { limits } = bounds
  const router = service as unknown as Router
  for (const name of ['pipePeerReadStream', 'decodeRpc', 'handleReceivedRpc'] as const)
    if (typeof router[name] !== 'function') throw new Error(`gossipsub has no ${name}: it cannot be guarded`)
  const messages = new TokenBuckets(MESSAGE_RATE)
  const frames = new TokenBuckets(FRAME_RATE)
  const senders = new WeakMap<Uint8Array, PeerId>()
  const withinBudgets = budgetFilter(bounds)

  const read = router.pipePeerReadStream.bind(router)
  router.pipePeerReadStream = (peerId, source) => {
    async function* named() {
      for await (const frame of source) {
        const bytes = frame.subarray()
        senders.set(bytes, peerId)
        yield { subarray: () => bytes }
      }
    }
    return read(peerId, named())
  }

  const decode = router.decodeRpc.bind(router)
  router.decodeRpc = (bytes) => {
    try {
      return decode(bytes)
    } catch (error) {
      const sender = senders.get(bytes)
      if (sender !== undefined) limits.report(sender, 'malformed', 'a malformed gossip frame')
      throw error
    }
  }

  const handle = router.handleReceivedRpc.bind(router)
  router.handleReceivedRpc = async (from, rpc) => {
    const now = performance.now()
    const peer = from.toString()
    if (messages.take(peer, now, rpc.messages?.length ?? 0) && frames.take(peer, now))
      return handle(from, withinBudgets(from, rpc, now))
    limits.report(from, 'excess', 'too many gossip messages')
  }
}

/**
 * Takes out of a frame what exceeds its authors' budgets: before any signature is checked, so each neighbour has a budget of
 * its own for each author, and nobody can use up an author's by forging it.
 */
function budgetFilter({ limits, isMember, trainers, onExcess, log }: GossipBounds) {
  const budgets = edgeBudgets(trainers)
  const excess = new TokenBuckets(EXCESS_RATE)
  const excessLog = new ExcessLog(log)
  const publishers = new Map<string, PeerId>()

  const publisherOf = ({ from }: GossipMessage): string => {
    if (from === undefined) return STRANGER
    const key = Buffer.from(from).toString('base64')
    const known = publishers.get(key) ?? peerIdOf(from)
    if (known === undefined) return STRANGER
    if (publishers.size >= PUBLISHERS_MAX) publishers.clear()
    publishers.set(key, known)
    // Read each time, since members come and go.
    return isMember(known) ? known.toString() : STRANGER
  }

  return (neighbour: PeerId, frame: Frame, now: number): Frame => {
    if (frame.messages === undefined || frame.messages.length === 0) return frame
    const from = neighbour.toString()
    const messages = frame.messages.filter((message) => {
      const author = publisherOf(message)
      if (budgets.take(`${from} ${author}`, now)) return true
      excessLog.note(author, from, now)
      return false
    })
    const dropped = frame.messages.length - messages.length
    if (dropped === 0) return frame
    onExcess(dropped)
    if (!excess.take(from, now, dropped))
      limits.report(neighbour, 'flood', 'far more messages than a round can need')
    return { ...frame, messages }
  }
}

function peerIdOf(multihash: Uint8Array): PeerId | undefined {
  try {
    return peerIdFromMultihash(decodeMultihash(multihash))
  } catch {
    return undefined
  }
}
