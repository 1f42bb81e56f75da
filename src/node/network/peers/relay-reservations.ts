import type { Libp2p, PeerId } from '@libp2p/interface'
import type { Log } from '../../log/log.ts'
import type { RelayTransport } from '../core/libp2p-parts.ts'
import { isRelayed } from './peer-address.ts'

const RELAY_HOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/hop'
const CHECK_INTERVAL_MS = 3_000

/**
 * Keeps a slot reserved at each connected relay: libp2p asks once when it meets a relay, and never again if that fails.
 */
export class RelayReservations {
  readonly #libp2p: Libp2p
  readonly #transport: RelayTransport
  readonly #log: Log
  readonly #reserved = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #isAsking = false

  constructor(libp2p: Libp2p, transport: RelayTransport, log: Log) {
    this.#libp2p = libp2p
    this.#transport = transport
    this.#log = log
  }

  start(): void {
    this.#timer = setInterval(() => void this.#check(), CHECK_INTERVAL_MS)
    this.#libp2p.addEventListener('peer:identify', this.#onIdentify)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#libp2p.removeEventListener('peer:identify', this.#onIdentify)
  }

  /** Relays through which this peer can be reached. */
  relays(): string[] {
    return [...this.#reserved]
  }

  #onIdentify = () => void this.#check()

  async #check(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      for (const peerId of this.#libp2p.getPeers()) await this.#reserve(peerId)
      for (const relay of this.#reserved)
        if (!this.#libp2p.getPeers().some((peerId) => peerId.toString() === relay))
          this.#reserved.delete(relay)
    } finally {
      this.#isAsking = false
    }
  }

  async #reserve(peerId: PeerId): Promise<void> {
    const { reservationStore } = this.#transport
    const relay = peerId.toString()
    try {
      const isDirect = this.#libp2p
        .getConnections(peerId)
        .some(({ status, remoteAddr }) => status === 'open' && !isRelayed(remoteAddr))
      if (!isDirect) return
      if (!reservationStore.hasReservation(peerId)) {
        const { protocols } = await this.#libp2p.peerStore.get(peerId)
        if (!protocols.includes(RELAY_HOP_PROTOCOL)) return
        this.#reserved.delete(relay)
        await reservationStore.addRelay(peerId, 'discovered')
      }
      if (this.#reserved.has(relay)) return
      this.#reserved.add(relay)
      this.#log.info({ relay }, 'this peer can be reached through a relay')
    } catch (error) {
      // Having enough relays is not an error.
      if (error instanceof Error && error.name === 'HadEnoughRelaysError') return
      this.#log.debug({ relay, error: String(error) }, 'a relay refused a reservation; it is asked again')
    }
  }
}
