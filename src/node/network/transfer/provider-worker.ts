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

/** What the fetch manager provides to its workers. */
export interface FetchTools {
  readonly host: NetworkHost
  readonly log: Log
  readonly book: ProviderBook
  readonly frameTimeoutMs: number
  /** Memory for incoming blocks. */
  readonly buffers: BlockBuffers
  /** Given if blocks should arrive compressed. */
  readonly compression: Compression | undefined
  /** Chooses what to request from a provider next. */
  readonly take: (provider: string) => Want[]
  readonly isWanted: (digest: string) => boolean
  /** Stores a block. Never rejects: an error ends the jobs that wait for it. */
  readonly keep: (digest: string, bytes: Uint8Array, provider: string) => Promise<void>
  /** Notifies the manager that there may be new work. */
  readonly changed: () => void
}

/** A pending request. */
interface AskedBatch {
  readonly wants: readonly Want[]
  readonly at: number
}

/** Time that an idle stream is kept: reopening one takes round trips. */
const LINGER_MS = 2_000
/** Maximum number of blocks of one provider waiting for the disk. */
const WRITES_MAX = 4

/** Fetches from one provider over one stream as long as it has wanted blocks. */
export class ProviderWorker {
  readonly #name: string
  readonly #peerId: PeerId
  readonly #tools: FetchTools
  readonly #unanswered = new Set<Want>()
  readonly #stopped = new AbortController()
  #session: BlockSession | undefined
  /** Time of the last answer. */
  #arrivedAt = 0
  #isFinished = false
  #running: Promise<void> = Promise.resolve()
  #wake: () => void = () => undefined

  constructor(name: string, peerId: PeerId, tools: FetchTools) {
    this.#name = name
    this.#peerId = peerId
    this.#tools = tools
  }

  /** Requests a first batch and then whatever is wanted; resolves when the stream has ended. Never rejects. */
  run(first: Want[]): Promise<void> {
    this.#running = this.#run(first)
    return this.#running
  }

  /** Notifies the worker that there may be new work. */
  wake(): void {
    this.#wake()
  }

  /** Whether a wanted answer is pending, or may be soon. */
  isUseful(mayLinger: boolean): boolean {
    if (this.#unanswered.size === 0) return mayLinger
    return [...this.#unanswered].some(({ digest }) => this.#tools.isWanted(digest))
  }

  /** Ends the stream: by aborting it if an answer is pending, else gracefully. */
  async stop(): Promise<void> {
    if (this.#unanswered.size === 0 && this.#session !== undefined) {
      this.#isFinished = true
      this.#wake()
      return this.#running
    }
    const reason = new NetworkError('aborted', `fetching blocks from ${this.#name}: aborted`)
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
        log.debug(
          { peer: name, error: String(error) },
          'a provider failed; requesting its blocks from others'
        )
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
    // An answer may have waited for this peer's disk and for earlier answers, which is not the provider's fault.
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

  /** Waits for something to request. @returns undefined after a while without any */
  async #linger(): Promise<Want[]> {
    const until = performance.now() + LINGER_MS
    for (;;) {
      this.#stopped.signal.throwIfAborted()
      const next = this.#take()
      const left = until - performance.now()
      if (next.length > 0 || left <= 0 || this.#isFinished) return next
      // `wake` and `stop` cut the wait short.
      const woken = new AbortController()
      this.#wake = () => woken.abort()
      await delay(left, undefined, { signal: woken.signal }).catch(() => undefined)
    }
  }
}
