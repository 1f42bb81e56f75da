import type { Stream } from '@libp2p/interface'

/** The callback of libp2p's streams for incoming data. */
type Receiver = Stream & { onData?: (data: { readonly byteLength: number }) => void }

/**
 * Observes a stream's incoming bytes. Not by a listener: libp2p buffers data while a stream has no listener, and this
 * one would count.
 *
 * @param admit called with the length of each chunk before it is accepted; false resets the stream
 */
export function watchInbound(stream: Stream, admit: (bytes: number) => boolean): void {
  const receiver = stream as Receiver
  const take = receiver.onData?.bind(receiver)
  if (take === undefined) throw new Error('this kind of stream cannot be observed')
  receiver.onData = (data) => {
    if (admit(data.byteLength)) take(data)
    else if (stream.status === 'open') stream.abort(new Error('too many incoming bytes'))
  }
}
