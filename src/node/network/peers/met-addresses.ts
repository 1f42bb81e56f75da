import type { IdentifyResult, Libp2p, PeerId } from '@libp2p/interface'
import { withPeerId } from './peer-address.ts'

const PEERS_MAX = 1024
const ADDRESSES_MAX = 16

/** The latest addresses that each peer gave when it connected; a relay shares them with the others. */
export class MetAddresses {
  readonly #libp2p: Libp2p
  readonly #byPeer = new Map<string, string[]>()

  constructor(libp2p: Libp2p) {
    this.#libp2p = libp2p
  }

  start(): void {
    this.#libp2p.addEventListener('peer:identify', this.#onIdentify)
  }

  stop(): void {
    this.#libp2p.removeEventListener('peer:identify', this.#onIdentify)
  }

  all(): string[] {
    return [...this.#byPeer.values()].flat()
  }

  #onIdentify = ({ detail: { peerId, listenAddrs } }: CustomEvent<IdentifyResult>) =>
    this.#learn(
      peerId,
      listenAddrs.slice(0, ADDRESSES_MAX).map((address) => withPeerId(address, peerId).toString())
    )

  #learn(peerId: PeerId, addresses: string[]): void {
    const key = peerId.toString()
    this.#byPeer.delete(key)
    this.#byPeer.set(key, addresses)
    const [oldest] = this.#byPeer.keys()
    if (this.#byPeer.size > PEERS_MAX && oldest !== undefined) this.#byPeer.delete(oldest)
  }
}
