import type { Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { NetworkError } from '../requests/network-error.ts'
import { PIECE_BYTES_MAX } from './constants.ts'

/**
 * Writes length-prefixed frames as fast as the other side reads them. Beside the current frame, at most one piece of a
 * block is buffered in the stream; the other side has a deadline for reading each piece.
 */
export class StreamWriter {
  readonly #stream: Stream
  readonly #timeoutMs: number

  constructor(stream: Stream, timeoutMs: number) {
    this.#stream = stream
    this.#timeoutMs = timeoutMs
  }

  /**
   * Writes frames of about one piece in total; resolves when there is room for more.
   *
   * @throws {NetworkError} `timeout` when the other side reads nothing, `unreachable` when the stream has ended
   */
  async write(...frames: readonly Uint8Array[]): Promise<void> {
    if (this.#stream.writeStatus !== 'writable') throw new NetworkError('unreachable', 'the stream has ended')
    const bytes = new Uint8ArrayList(...frames.flatMap((frame) => [lengthPrefix(frame.length), frame]))
    if (!this.#stream.send(bytes)) await this.#room()
  }

  /** Waits until less than a piece is buffered in the stream. */
  #room(): Promise<void> {
    const stream = this.#stream
    if (stream.writeBufferLength < PIECE_BYTES_MAX) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const done = (failure?: NetworkError) => {
        clearTimeout(timer)
        stream.removeEventListener('drain', look)
        stream.removeEventListener('idle', look)
        stream.removeEventListener('close', ended)
        if (failure === undefined) resolve()
        else reject(failure)
      }
      // The stream sends its buffer only after the drain event, so it is checked after that.
      const look = () => queueMicrotask(() => stream.writeBufferLength < PIECE_BYTES_MAX && done())
      const ended = () => done(new NetworkError('unreachable', 'the stream ended'))
      const timer = setTimeout(
        () => done(new NetworkError('timeout', `nothing was read within ${this.#timeoutMs} ms`)),
        this.#timeoutMs
      )
      stream.addEventListener('drain', look)
      stream.addEventListener('idle', look)
      stream.addEventListener('close', ended)
    })
  }
}

/** An unsigned varint. */
function lengthPrefix(length: number): Uint8Array {
  const bytes: number[] = []
  for (let left = length; ; left >>>= 7) {
    if (left < 0x80) return Uint8Array.from([...bytes, left])
    bytes.push((left & 0x7f) | 0x80)
  }
}
