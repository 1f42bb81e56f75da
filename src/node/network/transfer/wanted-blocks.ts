import type { PeerId } from '@libp2p/interface'
import type { Availability } from './availability.ts'
import { BATCH_BYTES_MAX, DIGESTS_PER_REQUEST_MAX } from './constants.ts'
import type { ProviderBook } from './provider-book.ts'

/** A call of `fetchAll`, as seen by the choice of blocks. */
export interface FetchJob {
  readonly pending: Set<string>
  /** Names of providers certain to have all its blocks. */
  certain: ReadonlyMap<string, PeerId>
  /** The blocks' author, asked only if nobody else has them. */
  readonly author: string | undefined
}

/** A block wanted by one or more jobs. */
export interface Want {
  readonly digest: string
  readonly bytes: number
  readonly jobs: Set<FetchJob>
  /** Orders equally rare blocks randomly, so that peers start with different ones. */
  readonly tie: number
  /** Providers with a pending request for it, and the request's time. */
  readonly asked: Map<string, number>
}

/** Number of remaining blocks at which the end game may begin. */
const END_GAME_BLOCKS = 8
/** Age of a request after which an otherwise idle provider is asked for the same block. */
const END_GAME_MS = 2_000

/** The wanted blocks, their providers, and the choice of the next request: rarest first. */
export class WantedBlocks {
  readonly #wants = new Map<string, Want>()
  readonly #availability: Pick<Availability, 'providers'>
  readonly #book: ProviderBook
  readonly #random: () => number

  /** @param random in [0, 1) */
  constructor(availability: Pick<Availability, 'providers'>, book: ProviderBook, random: () => number) {
    this.#availability = availability
    this.#book = book
    this.#random = random
  }

  add(digest: string, bytes: number, job: FetchJob): void {
    const known = this.#wants.get(digest)
    if (known !== undefined) known.jobs.add(job)
    else
      this.#wants.set(digest, {
        digest,
        bytes,
        jobs: new Set([job]),
        tie: this.#random(),
        asked: new Map()
      })
  }

  get(digest: string): Want | undefined {
    return this.#wants.get(digest)
  }

  /** Removes a received block. */
  remove(digest: string): void {
    this.#wants.delete(digest)
    this.#book.forget(digest)
  }

  /** Removes a job's blocks, except those that other jobs want. */
  removeJob(job: FetchJob): void {
    for (const digest of job.pending) {
      const want = this.#wants.get(digest)
      want?.jobs.delete(job)
      if (want?.jobs.size === 0) this.remove(digest)
    }
  }

  /**
   * Chooses what to request from a provider, and records the request.
   *
   * @param sharers number of providers that share the work
   * @returns no blocks if there is nothing to request
   */
  take(provider: string, sharers: number, now: number): Want[] {
    const free: { want: Want; providers: number }[] = []
    let freeBytes = 0
    let late: Want | undefined
    for (const want of this.#wants.values()) {
      if (want.asked.has(provider) || !this.#book.mayHave(provider, want.digest, now)) continue
      if (!this.#isProvider(provider, want)) continue
      if (want.asked.size > 0) {
        const isEnd = this.#wants.size <= END_GAME_BLOCKS
        if (isEnd && want.asked.size === 1 && isLate(want, now)) late ??= want
      } else if (!this.#isSpared(provider, want, now)) {
        free.push({ want, providers: this.#countProviders(want) })
        freeBytes += want.bytes
      }
    }
    free.sort((a, b) => a.providers - b.providers || a.want.tie - b.want.tie)
    const limit = Math.min(BATCH_BYTES_MAX, this.#book.batchBytes(provider), freeBytes / Math.max(sharers, 1))
    const taken: Want[] = []
    let bytes = 0
    for (const { want } of free) {
      const isFull = taken.length > 0 && bytes + want.bytes > limit
      if (isFull || taken.length >= DIGESTS_PER_REQUEST_MAX) break
      taken.push(want)
      bytes += want.bytes
    }
    if (taken.length === 0 && late !== undefined) taken.push(late)
    for (const want of taken) want.asked.set(provider, now)
    return taken
  }

  #isProvider(name: string, { digest, jobs }: Want): boolean {
    if (this.#availability.providers(digest).has(name)) return true
    for (const { certain } of jobs) if (certain.has(name)) return true
    return false
  }

  /**
   * Number of providers of a block; one that both announced it and is certain to have it counts twice, for all blocks
   * alike.
   */
  #countProviders({ digest, jobs }: Want): number {
    let count = this.#availability.providers(digest).size
    for (const { certain } of jobs) count += certain.size
    return count
  }

  /** An author's upload is reserved for blocks that nobody else has. */
  #isSpared(provider: string, { digest, jobs }: Want, now: number): boolean {
    const isOther = (name: string) => name !== provider && this.#book.isHealthy(name, now)
    for (const { author } of jobs) if (author !== provider) return false
    for (const name of this.#availability.providers(digest)) if (isOther(name)) return true
    for (const { certain } of jobs) for (const name of certain.keys()) if (isOther(name)) return true
    return false
  }
}

function isLate({ asked }: Want, now: number): boolean {
  return [...asked.values()].every((since) => now - since > END_GAME_MS)
}
