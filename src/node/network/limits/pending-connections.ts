import type { MultiaddrConnection } from '@libp2p/interface'
import { CODE_IP4, CODE_IP6, type Multiaddr } from '@multiformats/multiaddr'

/** Maximum number of inbound connections in their handshake. */
export const PENDING_MAX = 128
/** Maximum per address: a quarter. */
const PENDING_PER_ADDRESS_MAX = PENDING_MAX / 4
/** Hexadecimal groups of an IPv6 network prefix: a client with one address has the whole network. */
const NETWORK_GROUPS = 4

/**
 * Keeps one address from occupying all handshake slots: a silent connection holds one until the handshake's deadline.
 */
export class PendingConnections {
  readonly #byAddress = new Map<string, Set<MultiaddrConnection>>()

  /** Counts a new inbound connection. @returns whether its address has too many */
  isExcess(connection: MultiaddrConnection): boolean {
    const address = addressKey(connection.remoteAddr)
    if (address === undefined) return false
    const pending = this.#byAddress.get(address) ?? new Set()
    if (pending.size >= PENDING_PER_ADDRESS_MAX) return true
    this.#byAddress.set(address, pending.add(connection))
    connection.addEventListener('close', () => this.settled(connection), { once: true })
    return false
  }

  /** Releases the slot of a connection whose handshake has ended. */
  settled(connection: MultiaddrConnection): void {
    const address = addressKey(connection.remoteAddr)
    const pending = address === undefined ? undefined : this.#byAddress.get(address)
    if (pending === undefined) return
    pending.delete(connection)
    if (pending.size === 0) this.#byAddress.delete(address!)
  }
}

/** The IPv4 address, or the network of the IPv6 address, that a connection comes from; undefined if it is relayed. */
function addressKey(remote: Multiaddr): string | undefined {
  const [first, ...rest] = remote.getComponents()
  if (first?.value === undefined || rest.some(({ name }) => name === 'p2p-circuit')) return undefined
  if (first.code === CODE_IP4) return first.value
  if (first.code === CODE_IP6) return first.value.split(':').slice(0, NETWORK_GROUPS).join(':')
  return undefined
}
