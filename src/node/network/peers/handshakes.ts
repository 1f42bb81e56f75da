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

/** How {@link Handshakes} works. */
export interface HandshakesOptions {
  readonly self: OwnHandshake
  /** Addresses that a person configured: members to begin with, and relays. */
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

/** Members that start together need a moment; with the longest diagnosis this stays below 15 seconds. */
const FIRST_LOOK_MS = 2_000
/** How often an address that does not answer is looked at again. */
const LOOK_AGAIN_MS = 30_000
/** How often a connected peer is shaken hands with again: clocks drift, and distances change. */
const HANDSHAKE_AGAIN_MS = 60_000
const PEERS_MAX = 1_024
/** A live copy answers at once; a dead one's connection may linger, and whoever came after it waits for this answer. */
const CONFRONT_MS = 1_500
/** How soon a peer that told of another copy of this one is asked again: that copy may have stopped. */
const ASK_AGAIN_MS = 2_000

/** What a connected peer last answered. */
export interface Handshake extends HandshakeAnswer {
  /** When, in milliseconds since 1970. */
  readonly at: number
}

/**
 * Says handshake to every peer that connects and every minute from then on, and finds out why configured addresses do not
 * answer. It only tells: dialling goes on as before.
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

  /** What each connected peer last answered, by PeerId. */
  handshakes(): ReadonlyMap<string, Handshake> {
    return this.#handshakes
  }

  /** The last verdict on each configured address; undefined for one that is still being looked at. */
  verdicts(): { readonly address: string; readonly verdict: BootstrapVerdict | undefined }[] {
    return [...new Set(this.#options.addresses)].map((address) => ({
      address,
      verdict: this.#verdicts.get(address)
    }))
  }

  /** Why peers do not fit this one, by PeerId. */
  incompatiblePeers(): ReadonlyMap<string, string> {
    return this.#incompatiblePeers
  }

  /** Identities of which two copies ran at once of late, with the milliseconds since. */
  copies(): ReadonlyMap<string, number> {
    return this.#copyWatch?.copies() ?? new Map()
  }

  /** Looks at every configured address and shakes hands every connected peer now; within `DIAGNOSE_MS`. */
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
      // One that hung up meanwhile would stay for ever.
      if (this.#host.libp2p.getConnections(peerId).length > 0)
        this.#handshakes.set(peerId.toString(), { ...handshake, at: Date.now() })
      if (isAlone) this.#options.onAlone(peerId.toString())
      else this.#later(ASK_AGAIN_MS, () => this.#shakeHands(peerId))
    } catch (error) {
      log.debug({ peer: peerId.toString(), error: String(error) }, 'a peer did not shake hands')
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

  /** Told once, until it changes: a peer of another version knocks for as long as it runs. */
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
    this.#options.log.warn({ peer, reason }, 'a peer does not fit this one')
    this.#options.onIncompatible(peer, reason)
  }

  /** Looks at an address until it answers. */
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
          ? 'an address answers now'
          : 'an address to begin with does not serve; it is tried on'
      log[level]({ address, outcome, reason, advice }, said)
      onVerdict(verdict)
    }
    return outcome
  }
}

/** That all is well is worth a word only after it was not. */
function isNews(before: BootstrapOutcome | undefined, now: BootstrapOutcome): boolean {
  return now !== 'answers' || before !== undefined
}
