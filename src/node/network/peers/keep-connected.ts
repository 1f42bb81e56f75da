import '../core/promise-polyfill.ts'
import type { Connection, IdentifyResult, Libp2p, PeerId, PeerInfo } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Log } from '../../log/log.ts'
import { DIAL_TIMEOUT_MS } from '../core/libp2p-parts.ts'
import { withDeadline } from '../requests/deadline.ts'
import { nextUpgrade, type UpgradeTurn } from './direct-upgrade.ts'
import { isRelayed, readPeerAddress, withPeerId } from './peer-address.ts'
import { redialDelay } from './redial-delay.ts'
import { openAddresses } from './tcp-probe.ts'

/** Options of {@link KeepConnected}. */
export interface KeepConnectedOptions {
  readonly isAllowed: (peerId: PeerId) => boolean
  /** Whether a peer takes part in gossip: its connection must have an outbound stream of `requiredProtocol`. */
  readonly isMember: (peerId: PeerId) => boolean
  /** Protocol prefix of the stream that each member's connection must have; a connection without it is renewed. */
  readonly requiredProtocol: string
  /** Reopens the required stream over a remaining connection. */
  readonly reopen: (connection: Connection) => void
  readonly log: Log
}

/** A peer to stay connected to. */
interface Target {
  readonly peerId: PeerId
  /** Addresses that the peer itself gave when it was last connected, by text. */
  own: Map<string, Multiaddr>
  /** Addresses of it that others gave, by text; the latest last. */
  readonly hints: Map<string, Multiaddr>
  /** Configured addresses, which are never displaced. */
  readonly pinned: Set<string>
  failures: number
  dialling: boolean
  timer: NodeJS.Timeout | undefined
  /** When a connection without the required stream was first seen. */
  incompleteSince: number | undefined
  /** When to try a direct connection next, while there is only a relayed one. */
  upgrade: UpgradeTurn | undefined
}

/** Before a peer is dialled for the first time, or again after a loss. */
const FIRST_DELAY_MS = 250
/** Time to wait for the other side's dial. */
const YIELD_MS = 2000
const CHECK_INTERVAL_MS = 2000
/** Time that a connection may lack the required stream: opening one takes a few round trips. */
const INCOMPLETE_MS = 15_000
const TARGETS_MAX = 1024
/** Maximum number of a peer's own addresses, and of hints apart from pinned ones. */
const ADDRESSES_MAX = 16
const RELAYED_ADDRESSES_MAX = 6
/** Timeout of a TCP connection, after which an address counts as silent. */
const PROBE_MS = 3_000

/**
 * Dials every known peer until it is connected, and again after each loss, with growing delays up to 20 seconds (5 for
 * configured addresses) and without giving up: a peer may be off for a week. Learns addresses from identify and local
 * discovery. A peer with only a relayed connection is dialled directly from time to time.
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
    this.#libp2p.addEventListener('connection:close', this.#onClose)
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
    this.#libp2p.removeEventListener('connection:close', this.#onClose)
    for (const target of this.#targets.values()) clearTimeout(target.timer)
  }

  /**
   * Adds an address that ends in `/p2p/<PeerId>`; others, and those of peers that are not allowed, are left out.
   *
   * @param pinned whether later addresses cannot displace it: true for configured ones
   */
  addAddress(address: string, pinned = false): void {
    // Others may send anything, and a lot of it: only configured addresses deserve a warning.
    const level = pinned ? 'warn' : 'debug'
    try {
      const read = readPeerAddress(address)
      this.#learnHints(read.peerId, [read.address], pinned)
      if (pinned && !this.#options.isAllowed(read.peerId))
        this.#options.log.warn(
          { address },
          'an address belongs to neither a member nor a relay; it is not dialled'
        )
    } catch (error) {
      this.#options.log[level]({ address, error: String(error) }, 'a malformed address')
    }
  }

  /** Known addresses with PeerIds: each peer's own or, for peers not met yet, those from others. */
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
  #onClose = ({ detail }: CustomEvent<Connection>) => {
    const target = this.#targets.get(detail.remotePeer.toString())
    const left = this.#libp2p.getConnections(detail.remotePeer).filter(({ id }) => id !== detail.id)
    if (target === undefined || left.length === 0 || !this.#options.isMember(detail.remotePeer)) return
    if (!left.some((connection) => this.#isComplete(connection))) this.#reopen(left)
  }

  /** A connected peer's own addresses replace its earlier ones, so that old ports do not pile up. */
  #learnOwn(peerId: PeerId, found: readonly Multiaddr[]): void {
    const target = this.#targetOf(peerId)
    if (target === undefined || found.length === 0) return
    // A machine with many networks must not crowd out relayed addresses.
    const relayed = found.filter(isRelayed).slice(0, RELAYED_ADDRESSES_MAX)
    const direct = found.filter((address) => !isRelayed(address)).slice(0, ADDRESSES_MAX - relayed.length)
    target.own = new Map([...direct, ...relayed].map((address) => byText(address, peerId)))
  }

  #learnHints(peerId: PeerId, found: readonly Multiaddr[], pinned: boolean): void {
    const target = this.#targetOf(peerId)
    if (target === undefined) return
    let isNew = false
    for (const address of found.slice(0, ADDRESSES_MAX)) {
      const [text, whole] = byText(address, peerId)
      if (pinned) target.pinned.add(text)
      if (!target.hints.delete(text) && !target.own.has(text)) isNew = true
      target.hints.set(text, whole)
      const oldest = [...target.hints.keys()].find((key) => !target.pinned.has(key))
      if (target.hints.size > ADDRESSES_MAX && oldest !== undefined) target.hints.delete(oldest)
    }
    // Lets a request to an unconnected peer dial it.
    this.#libp2p.peerStore
      .merge(peerId, { multiaddrs: [...target.hints.values()] })
      .catch((error: unknown) => {
        this.#options.log.debug(
          { peer: peerId.toString(), error: String(error) },
          'addresses could not be stored'
        )
      })
    if (isNew) this.#schedule(target, pinned || this.#dialsFirst(peerId) ? FIRST_DELAY_MS : YIELD_MS)
  }

  /** Two peers that learn of each other at the same time must not both dial: the smaller PeerId does. */
  #dialsFirst(peerId: PeerId): boolean {
    return Buffer.compare(this.#libp2p.peerId.toMultihash().bytes, peerId.toMultihash().bytes) < 0
  }

  /** The target for a peer, created if needed; undefined for this peer, strangers, and peers beyond the maximum. */
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
      incompleteSince: undefined,
      upgrade: undefined
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
    if (target.own.size + target.hints.size === 0 || !this.#options.isAllowed(target.peerId)) return
    target.dialling = true
    try {
      await withDeadline(`dialling ${target.peerId}`, DIAL_TIMEOUT_MS, signal, async (deadline) => {
        const addresses = await addressesToDial(target, deadline)
        if (addresses.length === 0) throw new Error('none of its addresses accepts a connection')
        await this.#libp2p.dial(addresses, { signal: deadline })
      })
      target.failures = 0
    } catch (error) {
      target.failures++
      const fields = { peer: target.peerId.toString(), failures: target.failures, error: String(error) }
      this.#options.log.debug(fields, 'a peer is unreachable; it will be dialled again')
    }
    target.dialling = false
    if (this.#libp2p.getConnections(target.peerId).length > 0) return
    this.#schedule(target, redialDelay(target.failures, target.pinned.size > 0))
  }

  #checkConnections(): void {
    const now = performance.now()
    for (const target of this.#targets.values()) {
      const connections = this.#libp2p.getConnections(target.peerId)
      if (connections.length === 0 && target.timer === undefined) this.#schedule(target, FIRST_DELAY_MS)
      this.#checkGossip(target, connections, now)
      this.#checkDirect(target, connections, now)
    }
  }

  /**
   * Gossipsub opens its stream once per peer. When the connection that has it closes and another remains, it has to be
   * told; if that does not help, only a new connection restores the stream.
   */
  #checkGossip(target: Target, connections: readonly Connection[], now: number): void {
    const isMissing = connections.length > 0 && this.#options.isMember(target.peerId)
    if (!isMissing || connections.some((connection) => this.#isComplete(connection))) {
      target.incompleteSince = undefined
      return
    }
    if (target.incompleteSince === undefined) {
      target.incompleteSince = now
      return
    }
    if (now - target.incompleteSince < INCOMPLETE_MS) {
      this.#reopen(connections)
      return
    }
    target.incompleteSince = undefined
    this.#options.log.warn(
      { peer: target.peerId.toString() },
      'a connection has lost its gossip stream; renewing it'
    )
    for (const connection of connections) abort(connection)
  }

  #reopen(connections: readonly Connection[]): void {
    const open = connections.filter(({ status }) => status === 'open')
    const best = open.find(({ remoteAddr }) => !isRelayed(remoteAddr)) ?? open[0]
    if (best !== undefined) this.#options.reopen(best)
  }

  /** A relay carries everything twice, so a direct connection is tried as long as there is none. */
  #checkDirect(target: Target, connections: readonly Connection[], now: number): void {
    if (connections.length === 0 || connections.some(({ remoteAddr }) => !isRelayed(remoteAddr))) {
      target.upgrade = undefined
      return
    }
    target.upgrade ??= nextUpgrade(0, now)
    if (now < target.upgrade.at || target.dialling) return
    target.upgrade = nextUpgrade(target.upgrade.attempts + 1, now)
    void this.#upgrade(target)
  }

  async #upgrade(target: Target): Promise<void> {
    const signal = this.#stopped?.signal
    if (signal === undefined) return
    target.dialling = true
    try {
      await withDeadline(`dialling ${target.peerId} directly`, DIAL_TIMEOUT_MS, signal, async (deadline) => {
        const addresses = await openAddresses(directOnes(target), PROBE_MS, deadline)
        if (addresses.length === 0) return
        await this.#libp2p.dial(addresses, { signal: deadline, force: true })
        for (const connection of this.#libp2p.getConnections(target.peerId))
          if (isRelayed(connection.remoteAddr)) await connection.close({ signal: deadline })
        this.#options.log.info({ peer: target.peerId.toString() }, 'a relayed connection became a direct one')
      })
    } catch (error) {
      const fields = { peer: target.peerId.toString(), error: String(error) }
      this.#options.log.debug(fields, 'a peer is reachable only through a relay')
    }
    target.dialling = false
  }

  #isComplete(connection: Connection): boolean {
    return connection.streams.some(
      ({ direction, protocol }) =>
        direction === 'outbound' && protocol.startsWith(this.#options.requiredProtocol)
    )
  }
}

/** Closes a connection; a WebSocket one may throw meanwhile. */
function abort(connection: Connection): void {
  try {
    connection.abort(new Error('the gossip stream is lost'))
  } catch {
    // What it throws is about the closing code that it sends.
  }
}

/** Distinct addresses, compared by text. */
function allAddresses({ own, hints }: Target): Multiaddr[] {
  return [...new Map([...own, ...hints]).values()]
}

function directOnes(target: Target): Multiaddr[] {
  return allAddresses(target).filter((address) => !isRelayed(address))
}

/**
 * Addresses to dial, in order. An address that drops packets costs a whole handshake's timeout, and a peer behind a
 * router announces some: they are skipped if there is an alternative, or if they failed before.
 */
async function addressesToDial(target: Target, signal: AbortSignal): Promise<Multiaddr[]> {
  const direct = directOnes(target)
  const relayed = allAddresses(target).filter(isRelayed)
  const isSure = relayed.length === 0 && (target.failures === 0 || direct.length === 1)
  return [...(isSure ? direct : await openAddresses(direct, PROBE_MS, signal)), ...relayed]
}

/** The address with the PeerId at its end, by its text. */
function byText(address: Multiaddr, peerId: PeerId): [string, Multiaddr] {
  const whole = withPeerId(address, peerId)
  return [whole.toString(), whole]
}
