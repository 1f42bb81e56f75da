import type { PeerId } from '@libp2p/interface'
import type { Log } from '../../storage/log.ts'
import { type BootstrapOutcome, type BootstrapVerdict, diagnoseBootstrap } from '../diagnosis/diagnose.ts'
import type { NetworkHost } from '../host/network-host.ts'
import { askHello, type Hello, type HelloAnswer, type HelloSelf, misfit, serveHello } from './handshake.ts'

/** How {@link GreetPeers} works. */
export interface GreetOptions {
  readonly self: HelloSelf
  /** Addresses that a person configured: members to begin with, and relays. */
  readonly addresses: readonly string[]
  /** Whether this node's own gater lets it dial a peer. */
  readonly admits: (peerId: PeerId) => boolean
  readonly onVerdict: (verdict: BootstrapVerdict) => void
  readonly onMisfit: (peerId: string, reason: string) => void
  readonly log: Log
}

/** Members that start together need a moment; with the longest diagnosis this stays below 15 seconds. */
const FIRST_LOOK_MS = 2_000
/** How often an address that does not answer is looked at again. */
const LOOK_AGAIN_MS = 30_000
/** How often a connected peer is greeted again: clocks drift, and distances change. */
const GREET_AGAIN_MS = 60_000
const PEERS_MAX = 1_024

/** What a connected peer last answered. */
export interface Greeting extends HelloAnswer {
  /** When, in milliseconds since 1970. */
  readonly at: number
}

/**
 * Says hello to every peer that connects and every minute from then on, and finds out why configured addresses do not
 * answer. It only tells: dialling goes on as before.
 */
export class GreetPeers {
  readonly #host: NetworkHost
  readonly #options: GreetOptions
  readonly #stopped = new AbortController()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #misfits = new Map<string, string>()
  readonly #verdicts = new Map<string, BootstrapVerdict>()
  readonly #greetings = new Map<string, Greeting>()
  #looking: Promise<void> | undefined
  #unserve: (() => Promise<void>) | undefined

  constructor(host: NetworkHost, options: GreetOptions) {
    this.#host = host
    this.#options = options
  }

  async start(): Promise<void> {
    const { self, log, addresses } = this.#options
    this.#unserve = await serveHello(this.#host, self, (from, hello) => this.#judge(from, hello), log)
    this.#host.libp2p.addEventListener('peer:connect', this.#onConnect)
    this.#host.libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    void this.#greetAll()
    this.#later(GREET_AGAIN_MS, () => this.#greetAgain())
    for (const address of new Set(addresses)) this.#later(FIRST_LOOK_MS, () => this.#look(address))
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#host.libp2p.removeEventListener('peer:connect', this.#onConnect)
    this.#host.libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
    await this.#unserve?.()
  }

  /** What each connected peer last answered, by PeerId. */
  greetings(): ReadonlyMap<string, Greeting> {
    return this.#greetings
  }

  /** The last verdict on each configured address; undefined for one that is still being looked at. */
  verdicts(): { readonly address: string; readonly verdict: BootstrapVerdict | undefined }[] {
    return [...new Set(this.#options.addresses)].map((address) => ({
      address,
      verdict: this.#verdicts.get(address)
    }))
  }

  /** Why peers do not fit this one, by PeerId. */
  misfits(): ReadonlyMap<string, string> {
    return this.#misfits
  }

  /** Looks at every configured address and greets every connected peer now; within `DIAGNOSE_MS`. */
  lookNow(): Promise<void> {
    this.#looking ??= Promise.all([
      this.#greetAll(),
      ...this.verdicts().map(({ address }) => this.#judgeAddress(address))
    ]).then(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  #onConnect = ({ detail }: CustomEvent<PeerId>) => void this.#greet(detail)
  #onDisconnect = ({ detail }: CustomEvent<PeerId>) => void this.#greetings.delete(detail.toString())

  #later(delayMs: number, work: () => Promise<void>): void {
    if (this.#stopped.signal.aborted) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void work()
    }, delayMs)
    this.#timers.add(timer)
  }

  async #greetAgain(): Promise<void> {
    await this.#greetAll()
    this.#later(GREET_AGAIN_MS, () => this.#greetAgain())
  }

  async #greetAll(): Promise<void> {
    await Promise.all(this.#host.libp2p.getPeers().map((peerId) => this.#greet(peerId)))
  }

  async #greet(peerId: PeerId): Promise<void> {
    const { self, log } = this.#options
    try {
      const hello = await askHello(this.#host, peerId, self, this.#stopped.signal)
      this.#judge(peerId, hello)
      // One that hung up meanwhile would stay for ever.
      if (this.#host.libp2p.getConnections(peerId).length > 0)
        this.#greetings.set(peerId.toString(), { ...hello, at: Date.now() })
    } catch (error) {
      log.debug({ peer: peerId.toString(), error: String(error) }, 'a peer did not say hello')
    }
  }

  /** Told once, until it changes: a peer of another version knocks for as long as it runs. */
  #judge(peerId: PeerId, hello: Hello): void {
    const peer = peerId.toString()
    const reason = misfit(this.#options.self, hello)
    if (reason === undefined) {
      this.#misfits.delete(peer)
      return
    }
    if (this.#misfits.get(peer) === reason || this.#stopped.signal.aborted) return
    if (this.#misfits.size >= PEERS_MAX) this.#misfits.clear()
    this.#misfits.set(peer, reason)
    this.#options.log.warn({ peer, reason }, 'a peer does not fit this one')
    this.#options.onMisfit(peer, reason)
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
