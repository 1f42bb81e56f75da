import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/** Properties of a simulated connection. */
export interface SlowLineOptions {
  /** Round-trip time, ms. */
  readonly roundTripMs: number
  /** Bandwidth in each direction. */
  readonly megabitsPerSecond: number
}

/** A local port behind a simulated slow connection. */
export interface SlowLine {
  readonly port: number
  close(): Promise<void>
}

/**
 * Opens a slow connection to a local port: sent data is queued at the configured rate, and arrives half a round trip
 * later. All connections share the line. It needs neither root nor Linux. There is no packet loss, and TCP's slow start
 * is that of loopback, so it is more favourable than a real connection.
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

/** One direction of a line, shared by all connections. */
function createDirection({ roundTripMs, megabitsPerSecond }: SlowLineOptions) {
  const bytesPerMs = (megabitsPerSecond * 1e6) / 8 / 1e3
  /** Time at which the line has sent all queued data. */
  let free = 0
  return (from: Socket, to: Socket): void => {
    /** Keeps the order: later data never overtakes earlier data. */
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
