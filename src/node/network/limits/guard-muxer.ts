import { setMaxListeners } from 'node:events'
import type { Stream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { watchInbound } from './inbound-bytes.ts'

/** What a stream may bring before it has said which protocol it speaks; its first request may come along. */
const NAMELESS_BYTES_MAX = 256 * 1024
/** Streams of one connection that have not said it yet. */
const NAMELESS_STREAMS_MAX = 32

/**
 * Bounds what streams hold before their protocol is known. libp2p would buffer 4 MiB of each, for as long as the negotiation
 * may take, and a connection may open hundreds.
 */
export function guardMuxer<Components>(
  make: (components: Components) => StreamMuxerFactory
): (components: Components) => StreamMuxerFactory {
  return (components) => {
    const factory = make(components)
    const create = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = (connection) => watchMuxer(create(connection))
    return factory
  }
}

/** What libp2p's muxers call for each stream that the other side opens, before anybody else hears of it. */
type RemoteStreams = StreamMuxer & { onRemoteStream?: (stream: Stream) => void }

function watchMuxer(muxer: RemoteStreams): StreamMuxer {
  // Not by a listener: the muxer keeps streams for a connection that does not listen yet.
  const take = muxer.onRemoteStream?.bind(muxer)
  if (take === undefined) throw new Error('this stream muxer cannot be guarded')
  muxer.onRemoteStream = (stream) => {
    if (muxer.streams.filter(isNameless).length >= NAMELESS_STREAMS_MAX) {
      stream.abort(new Error('too many streams that say nothing'))
      return
    }
    let bytes = 0
    watchInbound(stream, (more) => {
      if (!isNameless(stream)) return true
      bytes += more
      return bytes <= NAMELESS_BYTES_MAX
    })
    take(stream)
  }
  const close = muxer.close.bind(muxer)
  muxer.close = (options) => {
    // Each stream listens to the one signal while it closes; Node's warning of a leak would be wrong.
    if (options?.signal !== undefined) setMaxListeners(0, options.signal)
    return close(options)
  }
  return muxer
}

function isNameless({ direction, protocol }: Stream): boolean {
  return direction === 'inbound' && protocol === ''
}
