import type { Connection, PeerId } from '@libp2p/interface'
import type { Log } from '../../log/log.ts'
import type { NetworkHost } from '../core/network-host.ts'
import { CopyWatch, type SeenCopy } from './copy-watch.ts'
import { type BootstrapOutcome, type BootstrapVerdict, diagnoseBootstrap } from './diagnose.ts'
import {
  type HandshakeAnswer,
  incompatibility,
  type OwnHandshake,
  type PeerHandshake,
  requestHandshake,
  serveHandshakes
} from './handshake.ts'
import type { CopyProof, Instance } from './instance.ts'

/** Options of {@link Handshakes}. */
export interface HandshakesOptions {
  readonly self: OwnHandshake
  /** Configured addresses: bootstrap members and relays. */
  readonly addresses: readonly string[]
  /** Whether this node's own gater lets it dial a peer. */
  readonly admits: (peerId: PeerId) => boolean
  readonly onVerdict: (verdict: BootstrapVerdict) => void
  readonly onIncompatible: (peerId: string, reason: string) => void
  /** Two copies of an identity were found, this peer's or another's. */
  readonly onCopy: (copy: SeenCopy) => void
  /** A peer answered, and told of no other copy of this one. */
  readonly onAlone: (peerId: string) => void
  readonly log: Log
}

/** Members that start at the same time need a moment; with the longest diagnosis this stays below 15 seconds. */
const FIRST_LOOK_MS = 2_000
/** Interval at which an address that does not answer is diagnosed again. */
const LOOK_AGAIN_MS = 30_000
/** Interval of handshakes with a connected peer: clocks drift and round-trip times change. */
const HANDSHAKE_AGAIN_MS = 60_000
const PEERS_MAX = 1_024
/** A live copy answers at once; a dead one's connection may linger, and a peer that restarted waits this long for its answer. */
const CONFRONT_MS = 1_500
/** How soon a peer that told of another copy of this one is asked again: that copy may have stopped. */
const ASK_AGAIN_MS = 2_000

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
  readonly #copyWatch: CopyWatch | undefined
  #looking: Promise<void> | undefined
  #unserve: (() => Promise<void>) | undefined

  constructor(host: NetworkHost, options: HandshakesOptions) {
    this.#host = host
    this.#options = options
    const { instance, charter } = options.self
    this.#copyWatch =
      instance === undefined || charter === undefined ? undefined : this.#watchCopies(instance, charter)
  }

  async start(): Promise<void> {
    const { self, log, addresses } = this.#options
    this.#unserve = await serveHandshakes(
      this.#host,
      self,
      (from, handshake) => this.#take(from, handshake),
      log
    )
    this.#host.libp2p.addEventListener('connection:open', this.#onConnection)
    this.#host.libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    void this.#handshakeWithAll()
    this.#later(HANDSHAKE_AGAIN_MS, () => this.#handshakeAgain())
    for (const address of new Set(addresses)) this.#later(FIRST_LOOK_MS, () => this.#look(address))
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#host.libp2p.removeEventListener('connection:open', this.#onConnection)
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

  /** Identities of which two copies ran at once of late, with the milliseconds since. */
  copies(): ReadonlyMap<string, number> {
    return this.#copyWatch?.copies() ?? new Map()
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

  /** Every connection: that of a second copy is not the first to its PeerId. */
  #onConnection = ({ detail }: CustomEvent<Connection>) => void this.#shakeHands(detail.remotePeer, detail)
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

  async #shakeHands(peerId: PeerId, connection?: Connection): Promise<void> {
    const { self, log } = this.#options
    const { signal } = this.#stopped
    try {
      const words = { signal, ...(connection && { connection }) }
      const handshake = await requestHandshake(this.#host, peerId, self, words)
      const isAlone = handshake.copy === undefined || this.#copyWatch?.told(handshake.copy) !== true
      await this.#take(peerId, { ...handshake, copy: undefined })
      // A peer that disconnected in the meantime would stay forever.
      if (this.#host.libp2p.getConnections(peerId).length > 0)
        this.#handshakes.set(peerId.toString(), { ...handshake, at: Date.now() })
      if (isAlone) this.#options.onAlone(peerId.toString())
      else this.#later(ASK_AGAIN_MS, () => this.#shakeHands(peerId))
    } catch (error) {
      log.debug({ peer: peerId.toString(), error: String(error) }, 'a handshake failed')
    }
  }

  /** @returns what another live instance of that peer's identity proves to it */
  async #take(peerId: PeerId, handshake: PeerHandshake): Promise<CopyProof | undefined> {
    this.#judge(peerId, handshake)
    if (incompatibility(this.#options.self, handshake) !== undefined) return undefined
    if (handshake.copy !== undefined) this.#copyWatch?.told(handshake.copy)
    return this.#copyWatch?.heard(peerId, handshake.instance)
  }

  #watchCopies(own: Instance, charterId: Uint8Array): CopyWatch {
    const connectionsOf = (peerId: PeerId) => this.#host.libp2p.getConnections(peerId)
    const say = (peerId: PeerId, words: Parameters<typeof requestHandshake>[3]) =>
      Promise.allSettled(
        connectionsOf(peerId).map((connection) =>
          requestHandshake(this.#host, peerId, this.#options.self, {
            signal: this.#stopped.signal,
            timeoutMs: CONFRONT_MS,
            connection,
            ...words
          })
        )
      )
    return new CopyWatch({
      own,
      charterId,
      confront: async (peerId, other) => {
        const answers = await say(peerId, { other })
        return answers.flatMap((answer) =>
          answer.status === 'fulfilled' && answer.value.proof !== undefined ? [answer.value.proof] : []
        )
      },
      tell: (peerId, copy) => void say(peerId, { copy }),
      isConnectedTwice: (peerId) => connectionsOf(peerId).length > 1,
      onCopy: this.#options.onCopy
    })
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
