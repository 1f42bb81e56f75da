import type { Stream } from '@libp2p/interface'

/** What libp2p's streams call with what comes in. */
type Receiver = Stream & { onData?: (data: { readonly byteLength: number }) => void }

/**
 * Looks at the bytes of a stream as they come in. Not by a listener: libp2p keeps data for a stream that nobody listens to
 * yet, and a listener of ours would count as somebody.
 *
 * @param admit told of the length of each piece before it is taken in; false drops it, and with it the stream
 */
export function watchInbound(stream: Stream, admit: (bytes: number) => boolean): void {
  const receiver = stream as Receiver
  const take = receiver.onData?.bind(receiver)
  if (take === undefined) throw new Error('this kind of stream cannot be watched')
  receiver.onData = (data) => {
    if (admit(data.byteLength)) take(data)
    else if (stream.status === 'open') stream.abort(new Error('too much came in at once'))
  }
}
