import { setTimeout as delay } from 'node:timers/promises'
import type { PeerId } from '@libp2p/interface'
import { decodeCanonical } from '../../protocol/encoding/canonical-cbor.ts'
import { encodeCanonical, equalBytes, MalformedError } from '../../protocol/index.ts'
import {
  ANSWER_BYTES_PER_SECOND,
  isMalformed,
  type NetworkHost,
  request,
  UploadLimit
} from '../network/index.ts'
import { type Log, StoreError } from '../storage/index.ts'
import { messageOf, PeerError } from '../storage/peer-error.ts'
import {
  answerSchema,
  BASE_PROTOCOL,
  type BaseFileName,
  LIMITS,
  PIECE_BYTES_MIN,
  TIMEOUT_MS
} from './base-protocol.ts'
import type { PartialFile } from './partial-file.ts'

/** Pieces that one member is asked for before the next has its turn. */
const TURN_PIECES = 64
/** Time that a turn may take; one who is slow must not hold up the others. */
const TURN_MS = 60_000
/** Slowest that one member may bring a whole file at the first try; each further try takes twice as long. */
const ALONE_BYTES_PER_MS = 1024
/** Exchanges with a member that may break off in a row. */
const BREAKS_MAX = 3
const PAUSE_MS = 1_000
/** Room that stays on the disk. */
const SPARE_BYTES = 16 * 1024 * 1024

/** How far the fetching of a base is. */
export interface BaseProgress {
  readonly file: BaseFileName
  readonly done: number
  /** 0 as long as nobody has said. */
  readonly total: number
  /** Members that are connected. */
  readonly connected: number
}

/** What a base is fetched with. */
export interface BaseClient {
  readonly host: NetworkHost
  readonly charterId: Uint8Array
  readonly log: Log
  /** Members that brought something false; they are not asked again. */
  readonly refused: Set<string>
  readonly progress: (progress: BaseProgress) => void
}

/** A file to fetch. */
export interface WantedFile {
  readonly name: BaseFileName
  /** SHA-256 in the charter. */
  readonly digest: Uint8Array
  /** Longest that it can be. */
  readonly bytesMax: number
}

/** How a member's turn ended. */
type Turn = 'whole' | 'next' | 'no room'

/**
 * Fetches one file from the connected members in turn until it has the charter's digest; waits as long as nobody has it.
 * Where bytes of several turn out false together, nobody is blamed and each is asked for all of it alone: then whoever
 * lies is known.
 *
 * @throws {PeerError} when there is no room for it
 * @throws {StoreError} when the disk does not take it
 */
export async function fetchFile(
  client: BaseClient,
  wanted: WantedFile,
  partial: PartialFile,
  signal: AbortSignal
): Promise<void> {
  const fetching = new Fetching(client, wanted, partial, signal)
  while (!(await fetching.round())) {
    client.progress({ ...fetching.far(), connected: client.host.peers().length })
    await delay(PAUSE_MS, undefined, { signal })
  }
}

class Fetching {
  readonly #client: BaseClient
  readonly #wanted: WantedFile
  readonly #partial: PartialFile
  readonly #signal: AbortSignal
  readonly #pace = new UploadLimit(ANSWER_BYTES_PER_SECOND)
  /** Whether bytes of two members must not be joined any more. */
  #isAlone = false
  #aloneRounds = 0
  #total = 0

  constructor(client: BaseClient, wanted: WantedFile, partial: PartialFile, signal: AbortSignal) {
    this.#client = client
    this.#wanted = wanted
    this.#partial = partial
    this.#signal = signal
  }

  far(): Pick<BaseProgress, 'file' | 'done' | 'total'> {
    return { file: this.#wanted.name, done: this.#partial.length, total: this.#total }
  }

  /** Asks each member once. @returns whether the file is whole */
  async round(): Promise<boolean> {
    const { host, refused } = this.#client
    const before = this.#partial.length
    let isTooLarge = false
    if (this.#isAlone) this.#aloneRounds++
    for (const peer of shuffled(host.peers())) {
      if (refused.has(peer.toString())) continue
      if (this.#isAlone) await this.#partial.reset()
      const turn = await this.#ask(peer)
      if (turn === 'whole') return true
      isTooLarge ||= turn === 'no room'
    }
    if (isTooLarge && this.#partial.length === before)
      throw new PeerError(
        `there is no room for the base model's ${this.#wanted.name}: ${this.#total - this.#partial.length} bytes are to come and ${SPARE_BYTES} must stay free; free some space, or set --model to a folder that has it`
      )
    return false
  }

  /** A member's turn; one that lies is reported and not asked again. */
  async #ask(peer: PeerId): Promise<Turn> {
    const { host, log, refused } = this.#client
    const { name } = this.#wanted
    try {
      return await this.#take(peer)
    } catch (error) {
      if (this.#signal.aborted || error instanceof StoreError) throw error
      if (isMalformed(error)) {
        refused.add(peer.toString())
        host.limits.report(peer, 'false', messageOf(error))
        if (this.#partial.sources.has(peer.toString())) await this.#partial.reset()
      }
      log.warn(
        { peer: peer.toString(), file: name, error: messageOf(error) },
        'a file of the base was not what the charter says, or broke off'
      )
      return 'next'
    }
  }

  async #take(peer: PeerId): Promise<Turn> {
    const partial = this.#partial
    const { digest, bytesMax } = this.#wanted
    const source = peer.toString()
    const begun = performance.now()
    for (let pieces = 0, isWhole = false; !isWhole; pieces++) {
      if (this.#isOver(pieces, performance.now() - begun)) return 'next'
      const { total, bytes } = await this.#piece(peer)
      if (total === 0) return 'next'
      if (total > bytesMax) throw new MalformedError(`${total} bytes where at most ${bytesMax} can be`)
      if (total < partial.length) {
        await this.#startAlone()
        return 'next'
      }
      const left = total - partial.length
      if (bytes.length > left || bytes.length < Math.min(left, PIECE_BYTES_MIN))
        throw new MalformedError(`a piece of ${bytes.length} bytes where ${left} are left`)
      this.#total = total
      if (pieces === 0 && left + SPARE_BYTES > (await partial.room())) return 'no room'
      if (bytes.length > 0) await partial.append(bytes, source)
      this.#client.progress({ ...this.far(), connected: this.#client.host.peers().length })
      isWhole = partial.length === total
    }
    if (equalBytes(partial.digest(), digest)) return 'whole'
    const isTheirs = partial.sources.size === 1 && partial.sources.has(source)
    await this.#startAlone()
    if (isTheirs) throw new MalformedError("its digest is not the charter's")
    this.#client.log.warn(
      { file: this.#wanted.name },
      "what several members brought has not the charter's digest: each is asked for all of it"
    )
    return 'next'
  }

  #isOver(pieces: number, ms: number): boolean {
    if (!this.#isAlone) return pieces === TURN_PIECES || ms > TURN_MS
    return ms > (TURN_MS + this.#total / ALONE_BYTES_PER_MS) * 2 ** this.#aloneRounds
  }

  async #startAlone(): Promise<void> {
    this.#isAlone = true
    await this.#partial.reset()
  }

  /** The next piece; an exchange that breaks off is tried again. */
  async #piece(peer: PeerId): Promise<{ total: number; bytes: Uint8Array }> {
    const { host, charterId } = this.#client
    const offset = this.#partial.length
    const asked = encodeCanonical({ version: 1, charter: charterId, file: this.#wanted.name, offset })
    const options = {
      timeoutMs: TIMEOUT_MS,
      maxResponseBytes: LIMITS.maxResponseBytes,
      signal: this.#signal
    }
    for (let breaks = 0; ; ) {
      this.#signal.throwIfAborted()
      try {
        const answer = await request(host, peer, BASE_PROTOCOL, asked, options)
        await this.#pace.admit(answer.length)
        return decodeCanonical(answer, answerSchema, LIMITS.maxResponseBytes)
      } catch (error) {
        if (this.#signal.aborted || isMalformed(error) || ++breaks === BREAKS_MAX) throw error
        await delay(PAUSE_MS, undefined, { signal: this.#signal })
      }
    }
  }
}

/** So that not all who join ask the same member first. */
function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item)
}
