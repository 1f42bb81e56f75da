import type { IdentifyResult, Libp2p, PeerId } from '@libp2p/interface'

/** Remembers this peer's address as observed by connected peers; behind a router that is not one of its own. */
export class ObservedAddresses {
  readonly #libp2p: Libp2p
  readonly #byPeer = new Map<string, string>()

  constructor(libp2p: Libp2p) {
    this.#libp2p = libp2p
  }

  start(): void {
    this.#libp2p.addEventListener('peer:identify', this.#onIdentify)
    this.#libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
  }

  stop(): void {
    this.#libp2p.removeEventListener('peer:identify', this.#onIdentify)
    this.#libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
  }

  /** By PeerId, for connected peers. */
  byPeer(): ReadonlyMap<string, string> {
    return new Map(this.#byPeer)
  }

  #onIdentify = ({ detail }: CustomEvent<IdentifyResult>) => {
    if (detail.observedAddr !== undefined)
      this.#byPeer.set(detail.peerId.toString(), detail.observedAddr.toString())
  }
  #onDisconnect = ({ detail }: CustomEvent<PeerId>) => void this.#byPeer.delete(detail.toString())
}
