import type { PeerId, Stream } from '@libp2p/interface'
import type { NetworkHost } from '../../../src/node/network/index.ts'

/** A plain stream of bytes over the same libp2p stack: the yardstick for the block protocol. */
export const BARE_PROTOCOL = '/loam/bench/bare/1'

const CHUNK_BYTES = 128 * 1024

/** Serves as many bytes as the first eight bytes of a stream specify. */
export async function serveBare(host: NetworkHost): Promise<void> {
  await host.libp2p.handle(BARE_PROTOCOL, async (stream) => {
    const asked = await new Promise<number>((resolve) =>
      stream.addEventListener('message', ({ data }) => resolve(Number(readCount(data.subarray()))), {
        once: true
      })
    )
    const chunk = new Uint8Array(CHUNK_BYTES)
    for (let left = asked; left > 0; left -= CHUNK_BYTES)
      if (!stream.send(chunk.subarray(0, Math.min(left, CHUNK_BYTES)))) await drained(stream)
    await stream.close()
  })
}

/** Reads bytes from a provider and discards them. */
export async function readBare(host: NetworkHost, from: PeerId, bytes: number): Promise<void> {
  const stream = await host.libp2p.dialProtocol(from, BARE_PROTOCOL)
  const count = Buffer.alloc(8)
  count.writeBigUInt64LE(BigInt(bytes))
  let left = bytes
  await new Promise<void>((resolve, reject) => {
    stream.addEventListener('message', ({ data }) => {
      left -= data.byteLength
      if (left <= 0) resolve()
    })
    stream.addEventListener(
      'close',
      () => left > 0 && reject(new Error(`the bare stream ended ${left} bytes early`))
    )
    stream.send(count)
  })
  await stream.close()
}

function readCount(bytes: Uint8Array): bigint {
  return Buffer.from(bytes).readBigUInt64LE()
}

function drained(stream: Stream): Promise<void> {
  return new Promise((resolve) => stream.addEventListener('drain', () => resolve(), { once: true }))
}
