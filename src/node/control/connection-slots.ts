import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** Maximum number of connections that have not shown the token. */
export const UNPROVEN_MAX = 16

/**
 * Reserves a server's connections for clients with the token: when too many have not shown it yet, the oldest of them
 * is closed. A client that sends its request at once is served before that.
 */
export class ConnectionSlots {
  /** Oldest first. */
  readonly #unproven = new Set<Socket>()

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#unproven.add(socket)
      socket.once('close', () => this.#unproven.delete(socket))
      if (this.#unproven.size <= UNPROVEN_MAX) return
      const [oldest] = this.#unproven
      this.#unproven.delete(oldest!)
      oldest!.destroy()
    })
  }

  /** The client of this connection has shown the token: the connection stays. */
  prove(socket: Socket): void {
    this.#unproven.delete(socket)
  }
}
