import type { PeerId } from '@libp2p/interface'
import { BLOCK_BYTES_MAX } from '../../../adapter/index.ts'
import { type BlockStore, type Log, StoreError } from '../../store/index.ts'
import { NetworkError } from '../network-error.ts'
import type { NetworkHost } from '../network-host.ts'
import { fetchBlocks } from './client.ts'
import { DIGESTS_PER_REQUEST_MAX, FRAME_TIMEOUT_MS } from './constants.ts'
import { HolderBook } from './holder-book.ts'

/** A block that a manifest names. */
export interface WantedBlock {
  readonly digest: string
  /** Its exact length. */
  readonly bytes: number
}

/** How far a {@link FetchManager.fetchAll} is; blocks that were there before count as held. */
export interface FetchProgress {
  readonly blocksHeld: number
  readonly blocksWanted: number
  readonly bytesHeld: number
  readonly bytesWanted: number
}

/** How to fetch. */
export interface FetchAllOptions {
  readonly signal: AbortSignal
  readonly onProgress?: (progress: FetchProgress) => void
}

/** What the fetch manager may use. */
export interface FetchLimits {
  /** Holders asked at once, over all calls; each may have four blocks of 1 MiB in memory. */
  readonly holdersAtOnce: number
  /** How long a holder may take for each frame. */
  readonly frameTimeoutMs: number
}

/** One call of `fetchAll`. */
interface Job {
  readonly pending: Map<string, number>
  readonly tasks: Set<Promise<void>>
  progress(): void
  wake(): void
  failure: Error | undefined
}

/** How often to look for new holders when nothing else happens. */
const LOOK_AGAIN_MS = 200

/**
 * Fetches blocks into the store from several holders at once. A block is asked of one holder at a time, over all
 * calls, so that it crosses the network once; a holder that fails, lies or lacks it is followed by another.
 */
export class FetchManager {
  readonly #host: NetworkHost
  readonly #store: BlockStore
  readonly #log: Log
  readonly #limits: FetchLimits
  readonly #book = new HolderBook()
  readonly #jobs = new Set<Job>()
  readonly #inFlight = new Set<string>()
  #open = 0

  constructor(host: NetworkHost, store: BlockStore, log: Log, limits: Partial<FetchLimits> = {}) {
    this.#host = host
    this.#store = store
    this.#log = log
    this.#limits = { holdersAtOnce: 6, frameTimeoutMs: FRAME_TIMEOUT_MS, ...limits }
  }

  /**
   * Resolves when the store holds all wanted blocks; keeps trying until then.
   *
   * @param holders who may have them now; asked again and again, because it grows as endorsements come in
   * @throws {NetworkError} `aborted` when the signal aborts, `protocol` for a wanted length beyond a block's
   * @throws {StoreError} when the disk takes no more
   */
  async fetchAll(
    wanted: readonly WantedBlock[],
    holders: () => readonly PeerId[],
    { signal, onProgress }: FetchAllOptions
  ): Promise<void> {
    const all = new Map(wanted.map(({ digest, bytes }) => [digest, bytes]))
    for (const [digest, bytes] of all) {
      if (!(bytes > 0 && bytes <= BLOCK_BYTES_MAX)) {
        throw new NetworkError('protocol', `block ${digest} cannot have ${bytes} bytes`)
      }
    }
    const pending = new Map(all)
    for (const digest of all.keys()) if (await this.#store.has(digest)) pending.delete(digest)

    const sum = (blocks: ReadonlyMap<string, number>) =>
      [...blocks.values()].reduce((total, bytes) => total + bytes, 0)
    const bytesWanted = sum(all)
    let wake: () => void = () => undefined
    const job: Job = {
      pending,
      tasks: new Set(),
      progress: () =>
        onProgress?.({
          blocksHeld: all.size - pending.size,
          blocksWanted: all.size,
          bytesHeld: bytesWanted - sum(pending),
          bytesWanted
        }),
      wake: () => wake(),
      failure: undefined
    }
    this.#jobs.add(job)
    const onAbort = () => wake()
    signal.addEventListener('abort', onAbort)
    try {
      job.progress()
      while (pending.size > 0) {
        if (signal.aborted)
          throw new NetworkError('aborted', `${pending.size} blocks were not fetched: given up`)
        if (job.failure !== undefined) throw job.failure
        // Armed before the round of asking, so that nothing that happens in it is missed.
        const woken = new Promise<void>((resolve) => {
          wake = resolve
        })
        this.#ask(job, holders(), signal)
        const timer = setTimeout(wake, LOOK_AGAIN_MS)
        await woken
        clearTimeout(timer)
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#jobs.delete(job)
      await Promise.all(job.tasks)
      for (const digest of pending.keys()) if (!this.#isWanted(digest)) this.#book.forget(digest)
    }
  }

  /** Asks every holder that is free for a share of what is pending. */
  #ask(job: Job, holders: readonly PeerId[], signal: AbortSignal): void {
    const now = performance.now()
    const byName = new Map(holders.map((peerId) => [peerId.toString(), peerId]))
    byName.delete(this.#host.peerId.toString())
    const ready = this.#book.ready([...byName.keys()], now, Math.random)
    for (const [position, name] of ready.entries()) {
      if (this.#open >= this.#limits.holdersAtOnce) return
      const free = [...job.pending.keys()].filter((digest) => !this.#inFlight.has(digest))
      const share = Math.ceil(free.length / (ready.length - position))
      const batch = free
        .filter((digest) => this.#book.mayHave(name, digest, now))
        .slice(0, Math.min(share, DIGESTS_PER_REQUEST_MAX))
      if (batch.length === 0) continue
      const task = this.#fetchFrom(byName.get(name)!, name, batch, job, signal).finally(() =>
        job.tasks.delete(task)
      )
      job.tasks.add(task)
    }
  }

  async #fetchFrom(
    holder: PeerId,
    name: string,
    batch: string[],
    job: Job,
    signal: AbortSignal
  ): Promise<void> {
    this.#open++
    this.#book.begin(name)
    // A digest leaves both sets at once: later it may be in flight again, with another holder.
    const unanswered = new Set(batch)
    for (const digest of batch) this.#inFlight.add(digest)
    try {
      const options = { signal, frameTimeoutMs: this.#limits.frameTimeoutMs }
      for await (const block of fetchBlocks(this.#host, holder, batch, options)) {
        if (block.status === 'found') await this.#keep(block.digest, block.bytes, job, name)
        else if (block.status === 'missing') this.#book.lacks(name, block.digest, performance.now())
        else this.#book.busyUntil(name, performance.now() + block.retryAfterMs)
        unanswered.delete(block.digest)
        this.#inFlight.delete(block.digest)
        if (block.status !== 'found') this.#wakeAll()
      }
    } catch (error) {
      if (error instanceof StoreError) job.failure = error
      else if (!signal.aborted) {
        const lied = error instanceof NetworkError && error.code === 'protocol'
        this.#book.failed(name, performance.now(), lied)
        this.#log.debug(
          { peer: name, error: String(error) },
          'a holder failed; its blocks are asked of others'
        )
      }
    } finally {
      for (const digest of unanswered) this.#inFlight.delete(digest)
      this.#book.end(name)
      this.#open--
      this.#wakeAll()
    }
  }

  #wakeAll(): void {
    for (const job of this.#jobs) job.wake()
  }

  async #keep(digest: string, bytes: Uint8Array, job: Job, holder: string): Promise<void> {
    if (bytes.length !== job.pending.get(digest)) {
      // The digest is right: it is the manifest that is wrong, so no holder could ever satisfy it.
      job.failure = new NetworkError(
        'protocol',
        `block ${digest} has ${bytes.length} bytes, not what its manifest says`
      )
      return
    }
    await this.#store.put(digest, bytes)
    this.#book.succeeded(holder)
    this.#book.forget(digest)
    for (const other of this.#jobs) {
      if (other.pending.delete(digest)) other.progress()
    }
  }

  #isWanted(digest: string): boolean {
    return [...this.#jobs].some(({ pending }) => pending.has(digest))
  }
}
