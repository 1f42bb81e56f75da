import { setTimeout as delay } from 'node:timers/promises'
import type { PeerId } from '@libp2p/interface'
import type { Log } from '../../storage/index.ts'
import type { NetworkHost } from '../core/network-host.ts'
import { NetworkError } from '../requests/network-error.ts'
import { isMalformed } from '../requests/request-response.ts'
import type { BlockBuffers } from './block-buffers.ts'
import { BlockSession } from './block-session.ts'
import type { Compression } from './compression.ts'
import { REQUESTS_UNDER_WAY_MAX } from './constants.ts'
import type { ProviderBook } from './provider-book.ts'
import type { Want } from './wanted-blocks.ts'

/** What the fetch manager lends its workers. */
export interface FetchTools {
  readonly host: NetworkHost
  readonly log: Log
  readonly book: ProviderBook
  readonly frameTimeoutMs: number
  /** Memory for the blocks that come. */
  readonly buffers: BlockBuffers
  /** Given where blocks are to come compressed. */
  readonly compression: Compression | undefined
  /** Chooses what to ask of a provider next. */
  readonly take: (provider: string) => Want[]
  readonly isWanted: (digest: string) => boolean
  /** Stores a block. Never rejects: what goes wrong ends the jobs that wait for it. */
  readonly keep: (digest: string, bytes: Uint8Array, provider: string) => Promise<void>
  /** Tells the manager that there may be something new to do. */
  readonly changed: () => void
}

/** A request under way. */
interface AskedBatch {
  readonly wants: readonly Want[]
  readonly at: number
}

/** How long a stream is kept without work: opening one again takes round trips. */
const LINGER_MS = 2_000
/** Blocks of one provider that may wait for the disk. */
const WRITES_MAX = 4

/** Fetches from one provider over one stream for as long as it has something to give. */
export class ProviderWorker {
  readonly #name: string
  readonly #peerId: PeerId
  readonly #tools: FetchTools
  readonly #unanswered = new Set<Want>()
  readonly #stopped = new AbortController()
  #session: BlockSession | undefined
  /** When the last answer came. */
  #arrivedAt = 0
  #isFinished = false
  #running: Promise<void> = Promise.resolve()
  #wake: () => void = () => undefined

  constructor(name: string, peerId: PeerId, tools: FetchTools) {
    this.#name = name
    this.#peerId = peerId
    this.#tools = tools
  }

  /** Asks for a first batch and then for what there is; resolves when the stream has ended. Never rejects. */
  run(first: Want[]): Promise<void> {
    this.#running = this.#run(first)
    return this.#running
  }

  /** There may be something new to do. */
  wake(): void {
    this.#wake()
  }

  /** Whether an answer is awaited that somebody wants, or may be soon. */
  isUseful(mayLinger: boolean): boolean {
    if (this.#unanswered.size === 0) return mayLinger
    return [...this.#unanswered].some(({ digest }) => this.#tools.isWanted(digest))
  }

  /** Ends the stream: at once where an answer is awaited, else as is proper. */
  async stop(): Promise<void> {
    if (this.#unanswered.size === 0 && this.#session !== undefined) {
      this.#isFinished = true
      this.#wake()
      return this.#running
    }
    const reason = new NetworkError('aborted', `fetching blocks from ${this.#name}: given up`)
    this.#stopped.abort(reason)
    this.#session?.abort(reason)
    this.#wake()
    await this.#running
  }

  async #run(first: Want[]): Promise<void> {
    const { book, log, host, frameTimeoutMs, buffers, compression } = this.#tools
    const name = this.#name
    for (const want of first) this.#unanswered.add(want)
    try {
      const { signal } = this.#stopped
      const session = await BlockSession.open(host, this.#peerId, {
        frameTimeoutMs,
        signal,
        buffers,
        compression
      })
      this.#session = session
      signal.throwIfAborted()
      await this.#exchange(session, first)
      await session.close()
    } catch (error) {
      this.#session?.abort(error instanceof Error ? error : new Error(String(error)))
      if (!this.#stopped.signal.aborted) {
        const lied = error instanceof NetworkError && error.code === 'protocol'
        book.failed(name, performance.now(), lied)
        if (isMalformed(error)) host.limits.report(this.#peerId, 'false', error.message)
        log.debug({ peer: name, error: String(error) }, 'a provider failed; its blocks are asked of others')
      }
    } finally {
      for (const want of this.#unanswered) want.asked.delete(name)
      this.#unanswered.clear()
    }
  }

  async #exchange(session: BlockSession, first: Want[]): Promise<void> {
    const asked: AskedBatch[] = []
    const writes: Promise<void>[] = []
    let next = first
    for (;;) {
      while (next.length > 0) {
        asked.push({ wants: next, at: performance.now() })
        await session.ask(next.map(({ digest }) => digest))
        next = asked.length < REQUESTS_UNDER_WAY_MAX ? this.#take() : []
      }
      const batch = asked.shift()
      if (batch === undefined) {
        next = await this.#linger()
        if (next.length === 0) break
        continue
      }
      await this.#read(session, batch, writes)
      next = this.#take()
    }
    await Promise.all(writes)
  }

  /** Reads the answers to a request. */
  async #read(session: BlockSession, { wants, at }: AskedBatch, writes: Promise<void>[]): Promise<void> {
    const { book, changed } = this.#tools
    const name = this.#name
    // An answer may have waited for this peer's disk, and for those before it: neither is the provider's time.
    const begun = Math.max(at, this.#arrivedAt)
    let bytes = 0
    let busyUntil = Number.POSITIVE_INFINITY
    for (const want of wants) {
      const answer = await session.answer()
      this.#arrivedAt = answer.at
      if (answer.status === 'found') {
        bytes += answer.bytes.length
        book.succeeded(name)
        writes.push(this.#keep(session, want, answer.bytes))
        if (writes.length > WRITES_MAX) await writes.shift()
        continue
      }
      const now = performance.now()
      if (answer.status === 'busy') {
        book.withholds(name, want.digest, now + answer.retryAfterMs)
        busyUntil = Math.min(busyUntil, now + answer.retryAfterMs)
      } else book.lacks(name, want.digest, now)
      this.#answered(want)
      changed()
    }
    if (bytes > 0) book.measured(name, bytes, this.#arrivedAt - begun)
    else if (Number.isFinite(busyUntil)) book.busyUntil(name, busyUntil)
  }

  async #keep(session: BlockSession, want: Want, bytes: Uint8Array): Promise<void> {
    await this.#tools.keep(want.digest, bytes, this.#name)
    session.recycle(bytes)
    this.#answered(want)
  }

  #answered(want: Want): void {
    this.#unanswered.delete(want)
    want.asked.delete(this.#name)
  }

  #take(): Want[] {
    const taken = this.#tools.take(this.#name)
    for (const want of taken) this.#unanswered.add(want)
    return taken
  }

  /** Waits for something to ask for. @returns nothing where there was none for a while */
  async #linger(): Promise<Want[]> {
    const until = performance.now() + LINGER_MS
    for (;;) {
      this.#stopped.signal.throwIfAborted()
      const next = this.#take()
      const left = until - performance.now()
      if (next.length > 0 || left <= 0 || this.#isFinished) return next
      // News and the end of the work (`wake`, `stop`) cut it short.
      const woken = new AbortController()
      this.#wake = () => woken.abort()
      await delay(left, undefined, { signal: woken.signal }).catch(() => undefined)
    }
  }
}
