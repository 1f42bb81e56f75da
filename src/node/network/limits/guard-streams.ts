import type { Connection, PeerId, Stream, StreamHandler, StreamHandlerOptions } from '@libp2p/interface'
import { watchInbound } from './inbound-bytes.ts'
import type { PeerLimits } from './peer-limits.ts'
import { type RateLimit, TokenBuckets } from './token-bucket.ts'

/** Streams that a peer may have open on one protocol, over all its connections, where the protocol says nothing else. */
const STREAMS_MAX = 32
/** Streams that the other side of a connection may have open: a relay's carries up to 300 connections, others some dozens. */
export const MUXER_STREAMS_MAX = 400
/** How often a peer may open a stream of one protocol. */
const OPEN_RATE: RateLimit = { burst: 256, perSecond: 64 }
/** What a peer may send on the streams that it opened of one protocol: requests and news, which are short. */
const BYTE_RATE: RateLimit = { burst: 32 * 1024 * 1024, perSecond: 4 * 1024 * 1024 }
/** Gossip carries the manifests of a whole consortium, from several neighbours. */
const GOSSIP_BYTE_RATE: RateLimit = { burst: 128 * 1024 * 1024, perSecond: 16 * 1024 * 1024 }

/** The part of libp2p where every protocol is registered. */
export interface Registrar {
  handle(protocol: string, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void>
}

/**
 * Puts bounds on the streams that others open, of every protocol, those that are registered later and libp2p's own
 * included: how many at once, how often, how many bytes. A protocol may ask for fewer streams with `maxInboundStreams`,
 * which then holds over all connections of a peer. Relayed connections are streams too, and their bytes are not counted.
 */
export function guardStreams(limits: PeerLimits): (components: { registrar: Registrar }) => object {
  return ({ registrar }) => {
    const handle = registrar.handle.bind(registrar)
    registrar.handle = (protocol, handler, options) => {
      const admit = streamGuard(limits, protocol, options?.maxInboundStreams ?? STREAMS_MAX)
      return handle(
        protocol,
        (stream, connection) => (admit(stream, connection) ? handler(stream, connection) : undefined),
        // Over the limit it is the guard that refuses, and notes it.
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
    if (!opening.take(peer, performance.now())) return refuse(stream, remotePeer, 'streams too often')
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
