import './promise-polyfill.ts'
import type { Connection, IdentifyResult, Libp2p, PeerId, PeerInfo } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { CODE_P2P, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Log } from '../store/log.ts'
import { withDeadline } from './deadline.ts'

/** How {@link KeepConnected} works. */
export interface KeepConnectedOptions {
  readonly isAllowed: (peerId: PeerId) => boolean
  /** Protocol prefix that each connected peer must have an outbound stream of, or the connection is renewed. */
  readonly requiredProtocol: string
  readonly log: Log
}

/** A peer to stay connected to. */
interface Target {
  readonly peerId: PeerId
  /** What the peer itself said when it was last connected, by text. */
  own: Map<string, Multiaddr>
  /** What others said of it, by text; the latest last. */
  readonly hints: Map<string, Multiaddr>
  /** Hints from the configuration, which no other hint displaces. */
  readonly pinned: Set<string>
  failures: number
  dialling: boolean
  timer: NodeJS.Timeout | undefined
  /** When a connection without the required stream was first seen. */
  incompleteSince: number | undefined
}

const FIRST_DELAY_MS = 250
const LAST_DELAY_MS = 20_000
/** How long to wait for the other side's dial. */
const YIELD_MS = 2000
/** For all addresses of a peer together; libp2p tries them one after the other. */
export const DIAL_TIMEOUT_MS = 30_000
const CHECK_INTERVAL_MS = 2000
/** How long a connection may be without the required stream: opening one takes a few round trips. */
const INCOMPLETE_MS = 15_000
const TARGETS_MAX = 1024
/** Most addresses of one peer from itself, and most hints (pinned ones aside). */
const ADDRESSES_MAX = 16

/**
 * Dials every known peer until it is connected, and again after each loss, with growing delays up to 20 seconds and
 * no end: a peer may be off for a week. Learns addresses from identify and local discovery.
 */
export class KeepConnected {
  readonly #libp2p: Libp2p
  readonly #options: KeepConnectedOptions
  readonly #targets = new Map<string, Target>()
  #stopped: AbortController | undefined
  #check: NodeJS.Timeout | undefined

  constructor(libp2p: Libp2p, options: KeepConnectedOptions) {
    this.#libp2p = libp2p
    this.#options = options
  }

  start(): void {
    this.#stopped = new AbortController()
    this.#libp2p.addEventListener('peer:identify', this.#onIdentify)
    this.#libp2p.addEventListener('peer:discovery', this.#onDiscovery)
    this.#libp2p.addEventListener('peer:connect', this.#onConnect)
    this.#libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    this.#check = setInterval(() => this.#checkConnections(), CHECK_INTERVAL_MS)
    for (const target of this.#targets.values()) this.#schedule(target, 0)
  }

  stop(): void {
    this.#stopped?.abort()
    this.#stopped = undefined
    clearInterval(this.#check)
    this.#libp2p.removeEventListener('peer:identify', this.#onIdentify)
    this.#libp2p.removeEventListener('peer:discovery', this.#onDiscovery)
    this.#libp2p.removeEventListener('peer:connect', this.#onConnect)
    this.#libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
    for (const target of this.#targets.values()) clearTimeout(target.timer)
  }

  /**
   * Adds an address that ends in `/p2p/<PeerId>`; others, and those of peers that are not allowed, are left out.
   *
   * @param pinned whether it stays whatever other addresses are told later: those that a person configured
   */
  addAddress(address: string, pinned = false): void {
    // What others tell may be anything, and a lot: only a person's own settings are worth a warning.
    const level = pinned ? 'warn' : 'debug'
    try {
      const parsed = multiaddr(address)
      const id = parsed.getComponents().findLast(({ code }) => code === CODE_P2P)?.value
      if (id !== undefined) this.#learnHints(peerIdFromString(id), [parsed], pinned)
      else this.#options.log[level]({ address }, 'an address without a PeerId is not dialled')
    } catch (error) {
      this.#options.log[level]({ address, error: String(error) }, 'an address cannot be read')
    }
  }

  /** Known addresses with PeerIds: what each peer said itself or, of those not met yet, what others said. */
  addresses(): string[] {
    return [...this.#targets.values()].flatMap(({ own, hints }) => [...(own.size > 0 ? own : hints).keys()])
  }

  #onIdentify = ({ detail }: CustomEvent<IdentifyResult>) => this.#learnOwn(detail.peerId, detail.listenAddrs)
  #onDiscovery = ({ detail }: CustomEvent<PeerInfo>) => this.#learnHints(detail.id, detail.multiaddrs, false)
  #onConnect = ({ detail }: CustomEvent<PeerId>) => {
    const target = this.#targets.get(detail.toString())
    if (target !== undefined) target.failures = 0
  }
  #onDisconnect = ({ detail }: CustomEvent<PeerId>) => {
    const target = this.#targets.get(detail.toString())
    if (target !== undefined) this.#schedule(target, this.#dialsFirst(detail) ? FIRST_DELAY_MS : YIELD_MS)
  }

  /** A connected peer's own word replaces its earlier one: old ports do not pile up. */
  #learnOwn(peerId: PeerId, found: readonly Multiaddr[]): void {
    const target = this.#targetOf(peerId)
    if (target === undefined || found.length === 0) return
    target.own = new Map(found.slice(0, ADDRESSES_MAX).map((address) => withPeerId(address, peerId)))
  }

  #learnHints(peerId: PeerId, found: readonly Multiaddr[], pinned: boolean): void {
    const target = this.#targetOf(peerId)
    if (target === undefined) return
    let isNew = false
    for (const address of found.slice(0, ADDRESSES_MAX)) {
      const [text, whole] = withPeerId(address, peerId)
      if (pinned) target.pinned.add(text)
      if (!target.hints.delete(text) && !target.own.has(text)) isNew = true
      target.hints.set(text, whole)
      const oldest = [...target.hints.keys()].find((key) => !target.pinned.has(key))
      if (target.hints.size > ADDRESSES_MAX && oldest !== undefined) target.hints.delete(oldest)
    }
    // So that a request to a peer that is not connected yet dials it.
    this.#libp2p.peerStore
      .merge(peerId, { multiaddrs: [...target.hints.values()] })
      .catch((error: unknown) => {
        this.#options.log.debug({ peer: peerId.toString(), error: String(error) }, 'addresses were not noted')
      })
    if (isNew) this.#schedule(target, pinned || this.#dialsFirst(peerId) ? FIRST_DELAY_MS : YIELD_MS)
  }

  /** Two peers that hear of each other at the same time must not both dial: the one with the smaller PeerId does. */
  #dialsFirst(peerId: PeerId): boolean {
    return Buffer.compare(this.#libp2p.peerId.toMultihash().bytes, peerId.toMultihash().bytes) < 0
  }

  /** The target for a peer, made where needed; undefined for oneself, strangers and one too many. */
  #targetOf(peerId: PeerId): Target | undefined {
    const key = peerId.toString()
    const known = this.#targets.get(key)
    if (known !== undefined) return known
    if (peerId.equals(this.#libp2p.peerId) || !this.#options.isAllowed(peerId)) return undefined
    if (this.#targets.size >= TARGETS_MAX) return undefined
    const target: Target = {
      peerId,
      own: new Map(),
      hints: new Map(),
      pinned: new Set(),
      failures: 0,
      dialling: false,
      timer: undefined,
      incompleteSince: undefined
    }
    this.#targets.set(key, target)
    return target
  }

  /** Dials after about `delayMs`, jittered so that two peers do not dial each other in the same instant. */
  #schedule(target: Target, delayMs: number): void {
    if (this.#stopped === undefined || target.dialling) return
    clearTimeout(target.timer)
    target.timer = setTimeout(
      () => {
        target.timer = undefined
        void this.#dial(target)
      },
      delayMs * (0.5 + Math.random())
    )
  }

  async #dial(target: Target): Promise<void> {
    const signal = this.#stopped?.signal
    if (signal === undefined || target.dialling || this.#libp2p.getConnections(target.peerId).length > 0)
      return
    const addresses = [...new Map([...target.own, ...target.hints]).values()]
    if (addresses.length === 0 || !this.#options.isAllowed(target.peerId)) return
    target.dialling = true
    try {
      await withDeadline(`dialling ${target.peerId}`, DIAL_TIMEOUT_MS, signal, (deadline) =>
        this.#libp2p.dial(addresses, { signal: deadline })
      )
      target.failures = 0
    } catch (error) {
      target.failures++
      const fields = { peer: target.peerId.toString(), failures: target.failures, error: String(error) }
      this.#options.log.debug(fields, 'a peer cannot be reached; it will be dialled again')
    }
    target.dialling = false
    if (this.#libp2p.getConnections(target.peerId).length > 0) return
    this.#schedule(target, Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(target.failures, 10)))
  }

  /** Gossipsub opens its stream once a connection: if that stream alone breaks, only a new connection brings it back. */
  #checkConnections(): void {
    const now = performance.now()
    for (const target of this.#targets.values()) {
      const connections = this.#libp2p.getConnections(target.peerId)
      if (connections.length === 0 || connections.some((connection) => this.#isComplete(connection))) {
        target.incompleteSince = undefined
        if (connections.length === 0 && target.timer === undefined) this.#schedule(target, FIRST_DELAY_MS)
        continue
      }
      target.incompleteSince ??= now
      if (now - target.incompleteSince < INCOMPLETE_MS) continue
      target.incompleteSince = undefined
      this.#options.log.warn(
        { peer: target.peerId.toString() },
        'a connection has lost its gossip stream; renewing it'
      )
      for (const connection of connections) connection.abort(new Error('the gossip stream is lost'))
    }
  }

  #isComplete(connection: Connection): boolean {
    return connection.streams.some(
      ({ direction, protocol }) =>
        direction === 'outbound' && protocol.startsWith(this.#options.requiredProtocol)
    )
  }
}

/** The address with the PeerId at its end, by its text. */
function withPeerId(address: Multiaddr, peerId: PeerId): [string, Multiaddr] {
  const whole =
    address.getComponents().at(-1)?.code === CODE_P2P ? address : address.encapsulate(`/p2p/${peerId}`)
  return [whole.toString(), whole]
}
