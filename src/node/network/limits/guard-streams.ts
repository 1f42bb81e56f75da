import type { Connection, PeerId, Stream, StreamHandler, StreamHandlerOptions } from '@libp2p/interface'
import { watchInbound } from './inbound-bytes.ts'
import type { PeerLimits } from './peer-limits.ts'
import { type RateLimit, TokenBuckets } from './token-bucket.ts'

/** Default number of open streams per peer and protocol, over all its connections. */
const STREAMS_MAX = 32
/** Inbound streams per connection: one to a relay carries up to 300 connections, others some dozens. */
export const MUXER_STREAMS_MAX = 400
/** Rate at which a peer may open streams of one protocol. */
const OPEN_RATE: RateLimit = { burst: 256, perSecond: 64 }
/** Rate of bytes on a peer's inbound streams of one protocol: requests and announcements, which are short. */
const BYTE_RATE: RateLimit = { burst: 32 * 1024 * 1024, perSecond: 4 * 1024 * 1024 }
/** Gossip carries the manifests of the whole consortium, from several neighbours. */
const GOSSIP_BYTE_RATE: RateLimit = { burst: 128 * 1024 * 1024, perSecond: 16 * 1024 * 1024 }

/** The registrar, in which libp2p registers every protocol. */
export interface Registrar {
  handle(protocol: string, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void>
}

/**
 * Limits inbound streams of every protocol, including libp2p's own and those registered later: number, rate and bytes.
 * `maxInboundStreams` can lower a protocol's number, and then applies over all connections of a peer. Relayed
 * connections are streams too; their bytes are not counted.
 */
export function guardStreams(limits: PeerLimits): (components: { registrar: Registrar }) => object {
  return ({ registrar }) => {
    const handle = registrar.handle.bind(registrar)
    registrar.handle = (protocol, handler, options) => {
      const admit = streamGuard(limits, protocol, options?.maxInboundStreams ?? STREAMS_MAX)
      return handle(
        protocol,
        (stream, connection) => (admit(stream, connection) ? handler(stream, connection) : undefined),
        // The guard itself refuses and reports streams above the limit.
        { ...options, maxInboundStreams: MUXER_STREAMS_MAX }
      )
    }
    return {}
  }
}

function streamGuard(limits: PeerLimits, protocol: string, streamsMax: number) {
  const open = new Map<string, number>()
  const opening = new TokenBuckets(OPEN_RATE)
  const byteRate = byteRateOf(protocol)
  const bytes = byteRate === undefined ? undefined : new TokenBuckets(byteRate)

  const refuse = (stream: Stream, peerId: PeerId, what: string): false => {
    stream.abort(new Error(what))
    limits.report(peerId, 'excess', `${what} of ${protocol}`)
    return false
  }

  return (stream: Stream, { remotePeer }: Connection): boolean => {
    const peer = remotePeer.toString()
    const before = open.get(peer) ?? 0
    if (before >= streamsMax) return refuse(stream, remotePeer, 'too many streams')
    if (!opening.take(peer, performance.now())) return refuse(stream, remotePeer, 'streams opened too often')
    open.set(peer, before + 1)
    stream.addEventListener(
      'close',
      () => {
        const left = (open.get(peer) ?? 1) - 1
        if (left > 0) open.set(peer, left)
        else open.delete(peer)
      },
      { once: true }
    )
    if (bytes === undefined) return true
    watchInbound(stream, (count) => {
      if (bytes.take(peer, performance.now(), count)) return true
      limits.report(remotePeer, 'flood', `too many bytes on ${protocol}`)
      return false
    })
    return true
  }
}

function byteRateOf(protocol: string): RateLimit | undefined {
  if (protocol.startsWith('/meshsub/')) return GOSSIP_BYTE_RATE
  return protocol.startsWith('/loam/') ? BYTE_RATE : undefined
}
