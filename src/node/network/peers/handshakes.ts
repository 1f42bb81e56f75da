import type { PeerId } from '@libp2p/interface'
import type { Log } from '../../log/log.ts'
import type { NetworkHost } from '../core/network-host.ts'
import { type BootstrapOutcome, type BootstrapVerdict, diagnoseBootstrap } from './diagnose.ts'
import {
  type HandshakeAnswer,
  incompatibility,
  type OwnHandshake,
  type PeerHandshake,
  requestHandshake,
  serveHandshakes
} from './handshake.ts'

/** Options of {@link Handshakes}. */
export interface HandshakesOptions {
  readonly self: OwnHandshake
  /** Configured addresses: bootstrap members and relays. */
  readonly addresses: readonly string[]
  /** Whether this node's own gater lets it dial a peer. */
  readonly admits: (peerId: PeerId) => boolean
  readonly onVerdict: (verdict: BootstrapVerdict) => void
  readonly onIncompatible: (peerId: string, reason: string) => void
  readonly log: Log
}

/** Members that start at the same time need a moment; with the longest diagnosis this stays below 15 seconds. */
const FIRST_LOOK_MS = 2_000
/** Interval at which an address that does not answer is diagnosed again. */
const LOOK_AGAIN_MS = 30_000
/** Interval of handshakes with a connected peer: clocks drift and round-trip times change. */
const HANDSHAKE_AGAIN_MS = 60_000
const PEERS_MAX = 1_024

/** What a connected peer last answered. */
export interface Handshake extends HandshakeAnswer {
  /** When, in milliseconds since 1970. */
  readonly at: number
}

/**
 * Performs a handshake with every peer when it connects and every minute afterwards, and diagnoses configured addresses
 * that do not answer. It only reports: dialling is not affected.
 */
export class Handshakes {
  readonly #host: NetworkHost
  readonly #options: HandshakesOptions
  readonly #stopped = new AbortController()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #incompatiblePeers = new Map<string, string>()
  readonly #verdicts = new Map<string, BootstrapVerdict>()
  readonly #handshakes = new Map<string, Handshake>()
  #looking: Promise<void> | undefined
  #unserve: (() => Promise<void>) | undefined

  constructor(host: NetworkHost, options: HandshakesOptions) {
    this.#host = host
    this.#options = options
  }

  async start(): Promise<void> {
    const { self, log, addresses } = this.#options
    this.#unserve = await serveHandshakes(
      this.#host,
      self,
      (from, handshake) => this.#judge(from, handshake),
      log
    )
    this.#host.libp2p.addEventListener('peer:connect', this.#onConnect)
    this.#host.libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    void this.#handshakeWithAll()
    this.#later(HANDSHAKE_AGAIN_MS, () => this.#handshakeAgain())
    for (const address of new Set(addresses)) this.#later(FIRST_LOOK_MS, () => this.#look(address))
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#host.libp2p.removeEventListener('peer:connect', this.#onConnect)
    this.#host.libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
    await this.#unserve?.()
  }

  /** The last answer of each connected peer, by PeerId. */
  handshakes(): ReadonlyMap<string, Handshake> {
    return this.#handshakes
  }

  /** The last verdict on each configured address; undefined while it is being diagnosed. */
  verdicts(): { readonly address: string; readonly verdict: BootstrapVerdict | undefined }[] {
    return [...new Set(this.#options.addresses)].map((address) => ({
      address,
      verdict: this.#verdicts.get(address)
    }))
  }

  /** Why peers are incompatible with this one, by PeerId. */
  incompatiblePeers(): ReadonlyMap<string, string> {
    return this.#incompatiblePeers
  }

  /**
   * Diagnoses every configured address and performs a handshake with every connected peer now; takes at most
   * `DIAGNOSE_MS`.
   */
  lookNow(): Promise<void> {
    this.#looking ??= Promise.all([
      this.#handshakeWithAll(),
      ...this.verdicts().map(({ address }) => this.#judgeAddress(address))
    ]).then(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  #onConnect = ({ detail }: CustomEvent<PeerId>) => void this.#shakeHands(detail)
  #onDisconnect = ({ detail }: CustomEvent<PeerId>) => void this.#handshakes.delete(detail.toString())

  #later(delayMs: number, work: () => Promise<void>): void {
    if (this.#stopped.signal.aborted) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void work()
    }, delayMs)
    this.#timers.add(timer)
  }

  async #handshakeAgain(): Promise<void> {
    await this.#handshakeWithAll()
    this.#later(HANDSHAKE_AGAIN_MS, () => this.#handshakeAgain())
  }

  async #handshakeWithAll(): Promise<void> {
    await Promise.all(this.#host.libp2p.getPeers().map((peerId) => this.#shakeHands(peerId)))
  }

  async #shakeHands(peerId: PeerId): Promise<void> {
    const { self, log } = this.#options
    try {
      const handshake = await requestHandshake(this.#host, peerId, self, this.#stopped.signal)
      this.#judge(peerId, handshake)
      // A peer that disconnected meanwhile would stay for ever.
      if (this.#host.libp2p.getConnections(peerId).length > 0)
        this.#handshakes.set(peerId.toString(), { ...handshake, at: Date.now() })
    } catch (error) {
      log.debug({ peer: peerId.toString(), error: String(error) }, 'a handshake failed')
    }
  }

  /** Reported once until it changes: a peer of another version retries for as long as it runs. */
  #judge(peerId: PeerId, handshake: PeerHandshake): void {
    const peer = peerId.toString()
    const reason = incompatibility(this.#options.self, handshake)
    if (reason === undefined) {
      this.#incompatiblePeers.delete(peer)
      return
    }
    if (this.#incompatiblePeers.get(peer) === reason || this.#stopped.signal.aborted) return
    if (this.#incompatiblePeers.size >= PEERS_MAX) this.#incompatiblePeers.clear()
    this.#incompatiblePeers.set(peer, reason)
    this.#options.log.warn({ peer, reason }, 'an incompatible peer')
    this.#options.onIncompatible(peer, reason)
  }

  /** Diagnoses an address until it answers. */
  async #look(address: string): Promise<void> {
    const outcome = await this.#judgeAddress(address)
    if (outcome !== 'answers') this.#later(LOOK_AGAIN_MS, () => this.#look(address))
  }

  async #judgeAddress(address: string): Promise<BootstrapOutcome | undefined> {
    const { self, admits, log, onVerdict } = this.#options
    const { signal } = this.#stopped
    const verdict = await diagnoseBootstrap(this.#host, address, { self, admits, signal })
    if (signal.aborted) return undefined
    const { outcome, reason, advice } = verdict
    const before = this.#verdicts.get(address)?.outcome
    this.#verdicts.set(address, verdict)
    if (outcome !== before && isNews(before, outcome)) {
      const level = outcome === 'answers' ? 'info' : 'warn'
      const said =
        outcome === 'answers'
          ? 'a configured address answers again'
          : 'a configured address does not work; dialling continues'
      log[level]({ address, outcome, reason, advice }, said)
      onVerdict(verdict)
    }
    return outcome
  }
}

/** Success is reported only after a failure. */
function isNews(before: BootstrapOutcome | undefined, now: BootstrapOutcome): boolean {
  return now !== 'answers' || before !== undefined
}
