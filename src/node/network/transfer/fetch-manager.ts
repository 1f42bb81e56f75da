import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { BLOCK_BYTES_MAX } from '../../../adapter/index.ts'
import { type BlockStore, type Log, StoreError } from '../../storage/index.ts'
import type { NetworkHost } from '../core/network-host.ts'
import { NetworkError } from '../requests/network-error.ts'
import type { Availability } from './availability.ts'
import { BlockBuffers } from './block-buffers.ts'
import type { Compression } from './compression.ts'
import { FRAME_TIMEOUT_MS } from './constants.ts'
import { ProviderBook } from './provider-book.ts'
import { type FetchTools, ProviderWorker } from './provider-worker.ts'
import { type FetchJob, WantedBlocks } from './wanted-blocks.ts'

/** A block named in a manifest. */
export interface WantedBlock {
  readonly digest: string
  /** Its exact length. */
  readonly bytes: number
}

/** Progress of {@link FetchManager.fetchAll}; blocks that were present before count as held. */
export interface FetchProgress {
  readonly blocksHeld: number
  readonly blocksWanted: number
  readonly bytesHeld: number
  readonly bytesWanted: number
}

/** A store of fetched blocks. */
export type BlockSink = Pick<BlockStore, 'has' | 'putVerified' | 'flush'>

/** Options of a fetch. */
export interface FetchAllOptions {
  readonly signal: AbortSignal
  /** The blocks' author, whose upload is spared if others have them. */
  readonly author?: PeerId | undefined
  readonly onProgress?: (progress: FetchProgress) => void
  /** The destination of the blocks; the peer's store by default. */
  readonly into?: BlockSink
  /** Whether to announce each fetched block to the neighbours; default true. */
  readonly isTold?: boolean
  /** Called for each block received from a provider. */
  readonly onBlock?: (bytes: number, provider: string) => void
}

/** Limits of the fetch manager. */
export interface FetchLimits {
  /** Number of providers asked in parallel, each with up to 4 MiB in flight. */
  readonly providersAtOnce: number
  /** Timeout of each frame from a provider, milliseconds. */
  readonly frameTimeoutMs: number
  /** Given if blocks are requested in zstd. */
  readonly compression: Compression | undefined
}

/** One call of `fetchAll`. */
interface Job extends FetchJob {
  readonly providers: () => readonly PeerId[]
  readonly sink: BlockSink
  readonly isTold: boolean
  /** Pending blocks that are not requested yet, with their lengths. */
  readonly queue: WantedBlock[]
  readonly fetched: string[]
  /** Notes a block that came. */
  readonly came: (bytes: number, provider: string) => void
  readonly finish: (failure?: Error) => void
}

/** Blocks of a job considered at the same time: every choice goes through all of them. */
const SOUGHT_AT_ONCE = 512
/** Interval at which to check for new providers, and for those whose delay is over, when nothing else happens. */
const LOOK_AGAIN_MS = 200
/** Each check goes through all wanted blocks, so small blocks that arrive together share one. */
const ASSIGN_INTERVAL_MS = 20

/**
 * Fetches blocks into the store from several providers in parallel: from those known to have all of a job's blocks, and
 * from those that announce one. Over all calls, a block is requested from one provider at a time, so that it crosses
 * the network once; if a provider fails, lies or lacks it, another is asked.
 */
export class FetchManager {
  readonly #host: NetworkHost
  readonly #store: BlockStore
  readonly #availability: Availability
  readonly #limits: FetchLimits
  readonly #book = new ProviderBook()
  readonly #wanted: WantedBlocks
  readonly #jobs = new Set<Job>()
  readonly #workers = new Map<string, ProviderWorker>()
  readonly #tools: FetchTools
  #lookingAgain: NodeJS.Timeout | undefined
  #waking: NodeJS.Timeout | undefined
  #assignedAt = Number.NEGATIVE_INFINITY
  /** The number of providers to share the work: those with a part of it, up to the parallel maximum. */
  #sharers = 1

  constructor(
    host: NetworkHost,
    store: BlockStore,
    availability: Availability,
    log: Log,
    limits: Partial<FetchLimits> = {}
  ) {
    this.#host = host
    this.#store = store
    this.#availability = availability
    this.#limits = {
      providersAtOnce: 16,
      frameTimeoutMs: FRAME_TIMEOUT_MS,
      compression: undefined,
      ...limits
    }
    this.#wanted = new WantedBlocks(availability, this.#book, Math.random)
    this.#tools = {
      host,
      log,
      book: this.#book,
      frameTimeoutMs: this.#limits.frameTimeoutMs,
      buffers: new BlockBuffers(),
      compression: this.#limits.compression,
      take: (provider) => this.#wanted.take(provider, this.#sharers, performance.now()),
      isWanted: (digest) => this.#wanted.get(digest) !== undefined,
      keep: (digest, bytes, provider) => this.#keep(digest, bytes, provider),
      changed: () => this.#wake()
    }
    availability.onNews = () => this.#wake()
  }

  /**
   * Resolves when the store holds all wanted blocks durably; retries until then.
   *
   * @param providers who has them all now; called repeatedly, because it grows with endorsements
   * @throws {NetworkError} `aborted` when the signal aborts, `protocol` for a wanted length beyond the maximum
   * @throws {StoreError} when a write fails
   */
  async fetchAll(
    wanted: readonly WantedBlock[],
    providers: () => readonly PeerId[],
    { signal, author, onProgress, onBlock, into: sink = this.#store, isTold = true }: FetchAllOptions
  ): Promise<void> {
    const all = new Map(wanted.map(({ digest, bytes }) => [digest, bytes]))
    for (const [digest, bytes] of all)
      if (!(bytes > 0 && bytes <= BLOCK_BYTES_MAX))
        throw new NetworkError('protocol', `block ${digest} cannot have ${bytes} bytes`)
    const pending = new Set<string>()
    for (const digest of all.keys()) if (!(await sink.has(digest))) pending.add(digest)
    const fetched: string[] = []
    let finish: (failure?: Error) => void = () => undefined
    const finished = new Promise<void>((resolve, reject) => {
      finish = (failure) => (failure === undefined ? resolve() : reject(failure))
    })
    const progress = new JobProgress(all, pending, onProgress)
    const job: Job = {
      pending,
      certain: new Map(),
      author: author?.toString(),
      providers,
      sink,
      isTold,
      queue: shuffled([...pending], Math.random).map((digest) => ({ digest, bytes: all.get(digest)! })),
      fetched,
      came(bytes, provider) {
        progress.came(bytes)
        onBlock?.(bytes, provider)
      },
      finish
    }
    const onAbort = () =>
      finish(new NetworkError('aborted', `${pending.size} blocks were not fetched: aborted`))
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      progress.tell()
      if (pending.size > 0) {
        if (signal.aborted) onAbort()
        this.#begin(job)
        await finished
      }
      await sink.flush(fetched)
    } finally {
      signal.removeEventListener('abort', onAbort)
      await this.#end(job)
    }
  }

  #begin(job: Job): void {
    this.#jobs.add(job)
    for (let sought = 0; sought < SOUGHT_AT_ONCE; sought++) this.#seekNext(job)
    this.#lookingAgain ??= setInterval(() => this.#wake(), LOOK_AGAIN_MS)
    this.#wake()
  }

  /** Starts requesting a job's next block, if there is one. */
  #seekNext(job: Job): void {
    let next = job.queue.pop()
    while (next !== undefined && !job.pending.has(next.digest)) next = job.queue.pop()
    if (next !== undefined) this.#wanted.add(next.digest, next.bytes, job)
  }

  /** Ends a job, and every stream that only carries unwanted blocks. */
  async #end(job: Job): Promise<void> {
    if (!this.#jobs.delete(job)) return
    this.#wanted.removeJob(job)
    if (this.#jobs.size === 0) {
      clearInterval(this.#lookingAgain)
      this.#lookingAgain = undefined
    }
    const idle = [...this.#workers.values()].filter((worker) => !worker.isUseful(this.#jobs.size > 0))
    await Promise.all(idle.map((worker) => worker.stop()))
  }

  /** Schedules work for every free provider; events until then are handled together. */
  #wake(): void {
    this.#waking ??= setTimeout(
      () => {
        this.#waking = undefined
        this.#assignedAt = performance.now()
        this.#assign()
      },
      Math.max(0, this.#assignedAt + ASSIGN_INTERVAL_MS - performance.now())
    )
  }

  #assign(): void {
    if (this.#jobs.size === 0) return
    const self = this.#host.peerId.toString()
    for (const job of this.#jobs) {
      const named = job.providers().map((peerId) => [peerId.toString(), peerId] as const)
      job.certain = new Map(named.filter(([name]) => name !== self))
    }
    const now = performance.now()
    const names = new Set([...this.#jobs].flatMap(({ certain }) => [...certain.keys()]))
    for (const name of this.#availability.knownProviders()) names.add(name)
    const able = [...names].filter((name) => this.#workers.has(name) || this.#book.isHealthy(name, now))
    this.#sharers = Math.min(this.#limits.providersAtOnce, Math.max(1, able.length))
    for (const worker of this.#workers.values()) worker.wake()
    const free = [...names].filter((name) => !this.#workers.has(name))
    for (const name of this.#book.ready(free, now, Math.random)) {
      if (this.#workers.size >= this.#limits.providersAtOnce) return
      const batch = this.#tools.take(name)
      if (batch.length === 0) continue
      const worker = new ProviderWorker(name, peerIdFromString(name), this.#tools)
      this.#workers.set(name, worker)
      void worker.run(batch).finally(() => {
        this.#workers.delete(name)
        this.#wake()
      })
    }
  }

  async #keep(digest: string, bytes: Uint8Array, provider: string): Promise<void> {
    const want = this.#wanted.get(digest)
    if (want === undefined) return
    const jobs = [...this.#jobs].filter(({ pending }) => pending.has(digest))
    try {
      // The digest is right, so the manifest or block list is wrong, and no provider could ever satisfy it.
      if (bytes.length !== want.bytes)
        throw new NetworkError(
          'protocol',
          `block ${digest} has ${bytes.length} bytes, not the ${want.bytes} that its manifest or block list says`
        )
      for (const sink of new Set(jobs.map((job) => job.sink))) await sink.putVerified(digest, bytes)
    } catch (error) {
      if (!(error instanceof StoreError || error instanceof NetworkError)) throw error
      for (const job of jobs) job.finish(error)
      return
    }
    this.#wanted.remove(digest)
    if (jobs.some(({ isTold }) => isTold)) this.#availability.announce([digest])
    for (const job of jobs) {
      job.fetched.push(digest)
      job.pending.delete(digest)
      this.#seekNext(job)
      job.came(bytes.length, provider)
      if (job.pending.size === 0) job.finish()
    }
  }
}

/** The progress of a job. */
class JobProgress {
  readonly #onProgress: FetchAllOptions['onProgress']
  #progress: FetchProgress

  constructor(
    all: ReadonlyMap<string, number>,
    pending: ReadonlySet<string>,
    onProgress: FetchAllOptions['onProgress']
  ) {
    this.#onProgress = onProgress
    let bytesWanted = 0
    let bytesHeld = 0
    for (const [digest, bytes] of all) {
      bytesWanted += bytes
      if (!pending.has(digest)) bytesHeld += bytes
    }
    this.#progress = {
      blocksHeld: all.size - pending.size,
      blocksWanted: all.size,
      bytesHeld,
      bytesWanted
    }
  }

  tell(): void {
    this.#onProgress?.(this.#progress)
  }

  /** Notes a block that came. */
  came(bytes: number): void {
    const { blocksHeld, bytesHeld, ...wanted } = this.#progress
    this.#progress = { ...wanted, blocksHeld: blocksHeld + 1, bytesHeld: bytesHeld + bytes }
    this.tell()
  }
}

/** Makes peers that want the same blocks start with different ones. */
function shuffled<T>(items: T[], random: () => number): T[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    ;[items[last], items[other]] = [items[other]!, items[last]!]
  }
  return items
}
