import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/** What a line is like. */
export interface SlowLineOptions {
  /** There and back, ms. */
  readonly roundTripMs: number
  /** Each way. */
  readonly megabitsPerSecond: number
}

/** A port of this machine behind a line. */
export interface SlowLine {
  readonly port: number
  close(): Promise<void>
}

/**
 * A line to a port of this machine: what is sent waits its turn at the line's rate, and comes out half a round trip later.
 * All connections share the line. It needs neither root nor Linux; the line has no loss, and TCP's slow start is that of
 * loopback, so it is kinder than a real one.
 */
export async function openSlowLine(target: number, options: SlowLineOptions): Promise<SlowLine> {
  const sockets = new Set<Socket>()
  const [up, down] = [createDirection(options), createDirection(options)]
  const server: Server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('close', () => sockets.delete(socket))
    }
    up(near, far)
    down(far, near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    }
  }
}

/** One way of a line, which all connections share. */
function createDirection({ roundTripMs, megabitsPerSecond }: SlowLineOptions) {
  const bytesPerMs = (megabitsPerSecond * 1e6) / 8 / 1e3
  /** When the line has sent all that was given to it. */
  let free = 0
  return (from: Socket, to: Socket): void => {
    /** What arrives later never overtakes what was sent earlier. */
    let last = Promise.resolve()
    const after = (bytes: number, act: () => void): void => {
      free = Math.max(free, performance.now()) + bytes / bytesPerMs
      const arrives = free + roundTripMs / 2
      last = last.then(async () => {
        await setTimeout(Math.max(0, arrives - performance.now()))
        if (!to.destroyed) act()
      })
    }
    from.on('data', (bytes) => after(bytes.length, () => to.write(bytes)))
    from.on('end', () => after(0, () => to.end()))
    from.on('error', () => to.destroy())
    to.on('close', () => from.destroy())
  }
}
