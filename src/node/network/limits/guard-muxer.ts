import { setMaxListeners } from 'node:events'
import type { Stream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { watchInbound } from './inbound-bytes.ts'

/** Bytes that a stream may send before its protocol is negotiated; they may include its first request. */
const NAMELESS_BYTES_MAX = 256 * 1024
/** Maximum number of streams per connection still in negotiation. */
const NAMELESS_STREAMS_MAX = 32

/**
 * Bounds what streams buffer before their protocol is known. libp2p would buffer 4 MiB for each during negotiation, and
 * a connection may open hundreds.
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

/** The first callback of libp2p's muxers for each inbound stream. */
type RemoteStreams = StreamMuxer & { onRemoteStream?: (stream: Stream) => void }

function watchMuxer(muxer: RemoteStreams): StreamMuxer {
  // Not a listener: the muxer holds streams back while the connection has no listener.
  const take = muxer.onRemoteStream?.bind(muxer)
  if (take === undefined) throw new Error('this stream muxer cannot be guarded')
  muxer.onRemoteStream = (stream) => {
    if (muxer.streams.filter(isNameless).length >= NAMELESS_STREAMS_MAX) {
      stream.abort(new Error('too many streams in negotiation'))
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
    // Every closing stream listens to this signal; Node's leak warning would be wrong.
    if (options?.signal !== undefined) setMaxListeners(0, options.signal)
    return close(options)
  }
  return muxer
}

function isNameless({ direction, protocol }: Stream): boolean {
  return direction === 'inbound' && protocol === ''
}
