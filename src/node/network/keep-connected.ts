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
  /** By text, so that each is kept once; oldest first. */
  readonly addresses: Map<string, Multiaddr>
  failures: number
  dialling: boolean
  timer: NodeJS.Timeout | undefined
  /** When a connection without the required stream was first seen. */
  incompleteSince: number | undefined
}

const FIRST_DELAY_MS = 250
const LAST_DELAY_MS = 20_000
const DIAL_TIMEOUT_MS = 10_000
const CHECK_INTERVAL_MS = 2000
/** How long a connection may be without the required stream: opening one takes a few round trips. */
const INCOMPLETE_MS = 15_000
const TARGETS_MAX = 1024
const ADDRESSES_PER_TARGET_MAX = 16

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

  /** Adds an address that ends in `/p2p/<PeerId>`; others, and those of peers that are not allowed, are left out. */
  addAddress(address: string): void {
    try {
      const parsed = multiaddr(address)
      const id = parsed.getComponents().findLast(({ code }) => code === CODE_P2P)?.value
      if (id !== undefined) this.#learn(peerIdFromString(id), [parsed])
      else this.#options.log.warn({ address }, 'an address without a PeerId is not dialled')
    } catch (error) {
      this.#options.log.warn({ address, error: String(error) }, 'an address cannot be read')
    }
  }

  /** All known addresses, with PeerIds. */
  addresses(): string[] {
    return [...this.#targets.values()].flatMap(({ addresses }) => [...addresses.keys()])
  }

  #onIdentify = ({ detail }: CustomEvent<IdentifyResult>) => this.#learn(detail.peerId, detail.listenAddrs)
  #onDiscovery = ({ detail }: CustomEvent<PeerInfo>) => this.#learn(detail.id, detail.multiaddrs)
  #onConnect = ({ detail }: CustomEvent<PeerId>) => {
    const target = this.#targets.get(detail.toString())
    if (target !== undefined) target.failures = 0
  }
  #onDisconnect = ({ detail }: CustomEvent<PeerId>) => {
    const target = this.#targets.get(detail.toString())
    if (target !== undefined) this.#schedule(target, FIRST_DELAY_MS)
  }

  #learn(peerId: PeerId, found: readonly Multiaddr[]): void {
    const key = peerId.toString()
    if (peerId.equals(this.#libp2p.peerId) || !this.#options.isAllowed(peerId)) return
    let target = this.#targets.get(key)
    if (target === undefined) {
      if (this.#targets.size >= TARGETS_MAX) return
      target = {
        peerId,
        addresses: new Map(),
        failures: 0,
        dialling: false,
        timer: undefined,
        incompleteSince: undefined
      }
      this.#targets.set(key, target)
    }
    const known = target.addresses.size
    for (const address of found.slice(0, ADDRESSES_PER_TARGET_MAX)) {
      const whole =
        address.getComponents().at(-1)?.code === CODE_P2P ? address : address.encapsulate(`/p2p/${key}`)
      if (target.addresses.size < ADDRESSES_PER_TARGET_MAX) target.addresses.set(whole.toString(), whole)
    }
    if (target.addresses.size > known) this.#schedule(target, 0)
  }

  /** Dials after about `delayMs`, jittered so that two peers do not dial each other in the same instant. */
  #schedule(target: Target, delayMs: number): void {
    if (this.#stopped === undefined || target.dialling) return
    clearTimeout(target.timer)
    target.timer = setTimeout(() => void this.#dial(target), delayMs * (0.5 + Math.random()))
  }

  async #dial(target: Target): Promise<void> {
    const signal = this.#stopped?.signal
    if (signal === undefined || target.dialling || this.#libp2p.getConnections(target.peerId).length > 0)
      return
    if (!this.#options.isAllowed(target.peerId)) return
    target.dialling = true
    try {
      await withDeadline(`dialling ${target.peerId}`, DIAL_TIMEOUT_MS, signal, (deadline) =>
        this.#libp2p.dial([...target.addresses.values()], { signal: deadline })
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
