import type { MultiaddrConnection } from '@libp2p/interface'
import { CODE_IP4, CODE_IP6, type Multiaddr } from '@multiformats/multiaddr'

/** Inbound connections that may be in their handshake at once. */
export const PENDING_MAX = 128
/** Of one address: a quarter. */
const PENDING_PER_ADDRESS_MAX = PENDING_MAX / 4
/** Hexadecimal groups of an IPv6 address that name a network: who has one address of it has them all. */
const NETWORK_GROUPS = 4

/**
 * Keeps one address from taking all places for handshakes: whoever connects and says nothing holds one until the
 * handshake's deadline.
 */
export class PendingConnections {
  readonly #byAddress = new Map<string, Set<MultiaddrConnection>>()

  /** Counts a new inbound connection. @returns whether it is one too many of its address */
  isExcess(connection: MultiaddrConnection): boolean {
    const address = addressKey(connection.remoteAddr)
    if (address === undefined) return false
    const pending = this.#byAddress.get(address) ?? new Set()
    if (pending.size >= PENDING_PER_ADDRESS_MAX) return true
    this.#byAddress.set(address, pending.add(connection))
    connection.addEventListener('close', () => this.settled(connection), { once: true })
    return false
  }

  /** A connection's handshake has ended, one way or the other. */
  settled(connection: MultiaddrConnection): void {
    const address = addressKey(connection.remoteAddr)
    const pending = address === undefined ? undefined : this.#byAddress.get(address)
    if (pending === undefined) return
    pending.delete(connection)
    if (pending.size === 0) this.#byAddress.delete(address!)
  }
}

/** The IPv4 address, or the network of the IPv6 address, that a connection comes from; undefined where it is relayed. */
function addressKey(remote: Multiaddr): string | undefined {
  const [first, ...rest] = remote.getComponents()
  if (first?.value === undefined || rest.some(({ name }) => name === 'p2p-circuit')) return undefined
  if (first.code === CODE_IP4) return first.value
  if (first.code === CODE_IP6) return first.value.split(':').slice(0, NETWORK_GROUPS).join(':')
  return undefined
}
