import type { GossipSub } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'
import type { PeerLimits } from '../limits/index.ts'
import { type RateLimit, TokenBuckets } from '../limits/token-bucket.ts'

/** Messages per neighbour: each costs a signature check. A round of 256 members has 65,000 endorsements. */
const MESSAGE_RATE: RateLimit = { burst: 50_000, perSecond: 2_000 }
/** Frames per neighbour; control messages alone arrive about once a second. */
const FRAME_RATE: RateLimit = { burst: 50_000, perSecond: 2_000 }

/** Gossipsub's frame handler, which its published interface omits. */
interface Router {
  pipePeerReadStream(peerId: PeerId, source: AsyncIterable<{ subarray(): Uint8Array }>): Promise<void>
  decodeRpc(bytes: Uint8Array): unknown
  handleReceivedRpc(from: PeerId, rpc: { readonly messages?: readonly unknown[] }): Promise<void>
}

/**
 * Rate-limits gossip per neighbour. Gossipsub silently drops frames that it cannot decode; here they count against the
 * sender. Messages above the rate are dropped before their signatures are checked; sync delivers them later.
 *
 * @throws {Error} when gossipsub is not the version that this was written for
 */
export function guardGossip(service: GossipSub, limits: PeerLimits): void {
  const router = service as unknown as Router
  for (const name of ['pipePeerReadStream', 'decodeRpc', 'handleReceivedRpc'] as const)
    if (typeof router[name] !== 'function') throw new Error(`gossipsub has no ${name}: it cannot be guarded`)
  const messages = new TokenBuckets(MESSAGE_RATE)
  const frames = new TokenBuckets(FRAME_RATE)
  const senders = new WeakMap<Uint8Array, PeerId>()

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
      return handle(from, rpc)
    limits.report(from, 'excess', 'too many gossip messages')
  }
}
