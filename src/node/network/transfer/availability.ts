import '../core/promise-polyfill.ts'
import { setMaxListeners } from 'node:events'
import { decode, encode } from '@ipld/dag-cbor'
import type { PeerId, Stream } from '@libp2p/interface'
import { type LengthPrefixedStream, lpStream } from '@libp2p/utils'
import type { Log } from '../../storage/index.ts'
import type { NetworkHost } from '../core/network-host.ts'
import { TokenBuckets } from '../limits/token-bucket.ts'
import { withDeadline } from '../requests/deadline.ts'
import { NetworkError } from '../requests/network-error.ts'
import { isMalformed } from '../requests/request-response.ts'

/**
 * The availability protocol: on one long-lived stream to each neighbour a peer announces the blocks it has received. A
 * frame is DAG-CBOR `{prefixes}`: the first eight bytes of each digest, concatenated. This lets peers get from each
 * other what the author has sent only once. It is a hint: a missing block is answered as missing.
 */
export const AVAILABILITY_PROTOCOL = '/loam/availability/1'

const PREFIX_BYTES = 8
const PREFIXES_PER_FRAME_MAX = 4096
const FRAME_BYTES_MAX = PREFIX_BYTES * PREFIXES_PER_FRAME_MAX + 64
/** Number of latest blocks remembered per peer; as many are announced to a new neighbour. */
const PREFIXES_PER_PEER_MAX = 16_384
/** Minimum and maximum time that announcements are collected, milliseconds. */
const GATHER_MS_MIN = 50
const GATHER_MS_MAX = 1_000
/** Per neighbour: keeps the cost of announcements independent of their number. */
const GATHER_MS_PER_NEIGHBOUR = 25
const SEND_TIMEOUT_MS = 10_000
const REOPEN_MS = 1_000
const REOPEN_MS_MAX = 30_000
/** Rate of frames per neighbour: a peer that collects its announcements sends at most twenty per second. */
const FRAME_RATE = { burst: 100, perSecond: 40 }

/** State of the announcements to one neighbour. */
interface Neighbour {
  readonly peerId: PeerId
  readonly untold: Set<string>
  stream: { readonly stream: Stream; readonly frames: LengthPrefixedStream } | undefined
  sending: boolean
  failures: number
  timer: NodeJS.Timeout | undefined
}

/** Which peers have which blocks, by their own announcements. */
export class Availability {
  readonly #host: NetworkHost
  readonly #log: Log
  readonly #own = new Set<string>()
  readonly #neighbours = new Map<string, Neighbour>()
  readonly #providers = new Map<string, Set<string>>()
  readonly #told = new Map<string, Set<string>>()
  readonly #frameRate = new TokenBuckets(FRAME_RATE)
  readonly #stopped = new AbortController()
  readonly #lasting: () => readonly string[]
  /** Called when a peer has announced something new. */
  onNews: () => void = () => undefined

  /** @param lasting digests announced to every neighbour, regardless of later blocks */
  constructor(host: NetworkHost, log: Log, lasting: () => readonly string[] = () => []) {
    this.#host = host
    this.#lasting = lasting
    this.#log = log
    // Every neighbour's stream listens to it; Node's leak warning would be wrong.
    setMaxListeners(0, this.#stopped.signal)
  }

  /** Starts announcing and listening. @param digests blocks that this peer already has */
  async start(digests: readonly string[]): Promise<void> {
    this.announce(digests)
    const { libp2p } = this.#host
    await libp2p.handle(
      AVAILABILITY_PROTOCOL,
      (stream, connection) => void this.#listen(stream, connection.remotePeer),
      { maxInboundStreams: 2, runOnLimitedConnection: true }
    )
    libp2p.addEventListener('peer:connect', this.#onConnect)
    libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    libp2p.addEventListener('stop', this.#end)
    for (const peer of libp2p.getPeers()) this.#meet(peer)
  }

  async stop(): Promise<void> {
    this.#end()
    await this.#host.libp2p.unhandle(AVAILABILITY_PROTOCOL)
  }

  /** Also when the host stops first: nobody would then clear the timers. */
  readonly #end = (): void => {
    this.#stopped.abort()
    const { libp2p } = this.#host
    libp2p.removeEventListener('peer:connect', this.#onConnect)
    libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
    libp2p.removeEventListener('stop', this.#end)
    for (const key of [...this.#neighbours.keys()]) this.#leave(key)
  }

  /** Announces received blocks to the neighbours. */
  announce(digests: readonly string[]): void {
    for (const digest of digests) {
      const prefix = prefixOf(digest)
      remember(this.#own, prefix)
      for (const { untold } of this.#neighbours.values()) remember(untold, prefix)
    }
    for (const neighbour of this.#neighbours.values())
      this.#schedule(neighbour, gatherMs(this.#neighbours.size))
  }

  /** Peers that have announced a block. */
  providers(digest: string): ReadonlySet<string> {
    return this.#providers.get(prefixOf(digest)) ?? NOBODY
  }

  /** Peers that have announced any block. */
  knownProviders(): Iterable<string> {
    return this.#told.keys()
  }

  #onConnect = ({ detail }: CustomEvent<PeerId>) => this.#meet(detail)
  #onDisconnect = ({ detail }: CustomEvent<PeerId>) => this.#leave(detail.toString())

  #meet(peerId: PeerId): void {
    const key = peerId.toString()
    if (this.#neighbours.has(key) || this.#stopped.signal.aborted || !this.#host.isMember(peerId)) return
    const neighbour: Neighbour = {
      peerId,
      untold: this.#allOwn(),
      stream: undefined,
      sending: false,
      failures: 0,
      timer: undefined
    }
    this.#neighbours.set(key, neighbour)
    this.#schedule(neighbour, gatherMs(this.#neighbours.size))
  }

  /** Everything a neighbour should know; lasting digests come last, since they are remembered longest. */
  #allOwn(): Set<string> {
    const prefixes = new Set(this.#own)
    for (const digest of this.#lasting()) remember(prefixes, prefixOf(digest))
    return prefixes
  }

  #leave(key: string): void {
    const neighbour = this.#neighbours.get(key)
    clearTimeout(neighbour?.timer)
    neighbour?.stream?.stream.abort(new NetworkError('aborted', 'the neighbour has disconnected'))
    this.#neighbours.delete(key)
    for (const prefix of this.#told.get(key) ?? []) this.#forget(key, prefix)
    this.#told.delete(key)
  }

  #schedule(neighbour: Neighbour, milliseconds: number): void {
    if (neighbour.sending || neighbour.untold.size === 0) return
    neighbour.timer ??= setTimeout(() => {
      neighbour.timer = undefined
      void this.#tell(neighbour)
    }, milliseconds)
  }

  async #tell(neighbour: Neighbour): Promise<void> {
    const { peerId, untold } = neighbour
    neighbour.sending = true
    const news = [...untold].slice(0, PREFIXES_PER_FRAME_MAX)
    try {
      await withDeadline(
        `announcing blocks to ${peerId}`,
        SEND_TIMEOUT_MS,
        this.#stopped.signal,
        async (signal) => {
          neighbour.stream ??= await this.#open(peerId, signal)
          const frame = encode({ prefixes: Uint8Array.from(Buffer.from(news.join(''), 'hex')) })
          await neighbour.stream.frames.write(frame, { signal })
        }
      )
      for (const prefix of news) untold.delete(prefix)
      neighbour.failures = 0
    } catch (error) {
      neighbour.stream?.stream.abort(new NetworkError('protocol', 'announcing blocks timed out'))
      neighbour.stream = undefined
      neighbour.failures++
      // Earlier announcements may be lost with the stream.
      for (const prefix of this.#allOwn()) remember(untold, prefix)
      this.#log.debug({ peer: peerId.toString(), error: String(error) }, 'announcing blocks failed')
    }
    neighbour.sending = false
    if (this.#neighbours.get(peerId.toString()) !== neighbour) return
    const wait =
      neighbour.failures === 0
        ? gatherMs(this.#neighbours.size)
        : Math.min(REOPEN_MS_MAX, REOPEN_MS * 2 ** (neighbour.failures - 1))
    this.#schedule(neighbour, wait)
  }

  async #open(peerId: PeerId, signal: AbortSignal): Promise<NonNullable<Neighbour['stream']>> {
    const stream = await this.#host.libp2p.dialProtocol(peerId, AVAILABILITY_PROTOCOL, {
      signal,
      runOnLimitedConnection: true
    })
    if (signal.aborted) stream.abort(new Error('too late'))
    signal.throwIfAborted()
    return { stream, frames: lpStream(stream) }
  }

  async #listen(stream: Stream, peerId: PeerId): Promise<void> {
    const peer = peerId.toString()
    const frames = lpStream(stream, { maxDataLength: FRAME_BYTES_MAX, maxBufferSize: 2 * FRAME_BYTES_MAX })
    try {
      for (;;) {
        const frame = (await frames.read({ signal: this.#stopped.signal })).subarray()
        if (!this.#frameRate.take(peer, performance.now()))
          throw new NetworkError('protocol', `${peer} announces too many blocks`)
        this.#hear(peer, prefixesIn(frame))
      }
    } catch (error) {
      if (stream.status === 'open') stream.abort(error instanceof Error ? error : new Error(String(error)))
      if (isMalformed(error))
        this.#host.limits.report(peerId, 'malformed', `an invalid block announcement: ${error.message}`)
    }
  }

  #hear(peer: string, prefixes: readonly string[]): void {
    // Announcements of a peer that has left in the meantime would stay forever.
    if (!this.#neighbours.has(peer)) return
    const told = this.#told.get(peer) ?? new Set()
    this.#told.set(peer, told)
    for (const prefix of prefixes) {
      const dropped = remember(told, prefix)
      if (dropped !== undefined) this.#forget(peer, dropped)
      const providers = this.#providers.get(prefix) ?? new Set()
      this.#providers.set(prefix, providers.add(peer))
    }
    this.onNews()
  }

  #forget(peer: string, prefix: string): void {
    const providers = this.#providers.get(prefix)
    providers?.delete(peer)
    if (providers?.size === 0) this.#providers.delete(prefix)
  }
}

/** How long to collect announcements for this many neighbours, milliseconds: about forty frames are sent per second. */
export function gatherMs(neighbours: number): number {
  return Math.min(GATHER_MS_MAX, Math.max(GATHER_MS_MIN, neighbours * GATHER_MS_PER_NEIGHBOUR))
}

function prefixOf(digest: string): string {
  return digest.slice(0, 2 * PREFIX_BYTES)
}

const NOBODY: ReadonlySet<string> = new Set()

/** Adds a prefix at the end, and drops the oldest beyond the maximum. @returns the one dropped */
function remember(prefixes: Set<string>, prefix: string): string | undefined {
  prefixes.delete(prefix)
  prefixes.add(prefix)
  if (prefixes.size <= PREFIXES_PER_PEER_MAX) return undefined
  const [first] = prefixes
  prefixes.delete(first!)
  return first
}

/** The prefixes in a frame, 16 lowercase hex digits each. @throws {NetworkError} `protocol` */
export function prefixesIn(frame: Uint8Array): string[] {
  let value: unknown
  try {
    value = decode(frame)
  } catch (error) {
    throw new NetworkError('protocol', `not DAG-CBOR: ${String(error)}`)
  }
  const { prefixes, ...rest } = Object(value) as Record<string, unknown>
  const valid = prefixes instanceof Uint8Array && prefixes.length > 0 && prefixes.length % PREFIX_BYTES === 0
  if (!valid || Object.keys(rest).length > 0)
    throw new NetworkError('protocol', 'malformed block announcement')
  const hex = Buffer.from(prefixes).toString('hex')
  return Array.from({ length: prefixes.length / PREFIX_BYTES }, (_, index) =>
    hex.slice(2 * PREFIX_BYTES * index, 2 * PREFIX_BYTES * (index + 1))
  )
}
