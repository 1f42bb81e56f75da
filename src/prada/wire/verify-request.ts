import type { Precision, RankReach } from '../core/remote-row.ts'
import { checkDrawSettings, type DrawSettings } from '../core/scoring.ts'
import { type ByteReader, createByteReader } from './byte-reader.ts'
import { createByteWriter } from './byte-writer.ts'
import { SESSION_BYTES, TEXT_MAX, VOCABULARY_MAX, WIRE_VERSION } from './constants.ts'
import { WireError } from './wire-error.ts'

/** The request for one position: ids in addition to the top k (ascending), or the whole row. */
export type PositionRequest = 'row' | readonly number[]

/** Tokens for the remote to draft after the text, from its own distribution with the device's noise. */
export interface RemoteDraft {
  readonly count: number
  readonly settings: DrawSettings
  readonly seed: number
  readonly stream: number
  /** Whether the records after drafts are whole rows. */
  readonly rows: boolean
}

/** The noise of the device's draws, so that the remote can report the ids that are most likely to win. */
export interface SharedNoise {
  readonly seed: number
  readonly stream: number
  /** Above 0. */
  readonly temperature: number
  /** Number of ids with the highest value / T + G that every record reports. */
  readonly drawn: number
  /** If given, records report as many ids by rank as the draw's winner makes necessary. */
  readonly reach?: RankReach
}

/**
 * One trip: keep the first `truncateAt` tokens, append `ids`, and report the distribution after each of the last ones.
 * The same request always has the same answer.
 */
export interface VerifyRequest {
  /** [SESSION_BYTES] */
  readonly session: Uint8Array
  readonly truncateAt: number
  /** At least one. */
  readonly ids: readonly number[]
  readonly precision: Precision
  /** Number of most likely ids that every record reports. */
  readonly topK: number
  /** One per position, for the last positions of `ids`; at least one, at most as many as `ids`. */
  readonly positions: readonly PositionRequest[]
  /** Replaces `topK` for the first record, if an earlier answer left that position open. */
  readonly firstTopK?: number
  /**
   * Number of the most likely among these that the first record omits because the device knows them; only with
   * `firstTopK`.
   */
  readonly firstSkip?: number
  readonly noise?: SharedNoise
  /** If given, records of the positions after the remote's own drafts follow, which start at the last position. */
  readonly draft?: RemoteDraft
}

/** Limits of a server. */
export interface RequestLimits {
  /** Size of the session's vocabulary. */
  readonly vocabularySize: number
  /** Maximum number of tokens per request, including drafts. */
  readonly tokens: number
}

const FLOAT32_FLAG = 1
const DRAFT_FLAG = 2
const NOISE_FLAG = 4
const FIRST_TOP_K_FLAG = 8
/** The draft's seed, stream and temperature are those of the noise. */
const SAME_NOISE_FLAG = 16
/** The draft's filters follow. */
const FILTERS_FLAG = 32
const DRAFT_ROWS_FLAG = 64
/** How far a record's ranks reach follows the noise. */
const REACH_FLAG = 128

export function encodeVerifyRequest(request: VerifyRequest): Uint8Array {
  const writer = createByteWriter()
  const { noise, draft } = request
  const sameNoise =
    noise !== undefined &&
    draft !== undefined &&
    noise.seed === draft.seed &&
    noise.stream === draft.stream &&
    noise.temperature === draft.settings.temperature
  const { topK: draftTopK = 0, topP = 1, minP = 0 } = draft?.settings ?? {}
  const filters = draftTopK > 0 || topP < 1 || minP > 0
  writer.byte(WIRE_VERSION)
  writer.byte(
    (request.precision === 'float32' ? FLOAT32_FLAG : 0) |
      (draft ? DRAFT_FLAG : 0) |
      (noise ? NOISE_FLAG : 0) |
      (request.firstTopK ? FIRST_TOP_K_FLAG : 0) |
      (sameNoise ? SAME_NOISE_FLAG : 0) |
      (filters ? FILTERS_FLAG : 0) |
      (draft?.rows ? DRAFT_ROWS_FLAG : 0) |
      (noise?.reach ? REACH_FLAG : 0)
  )
  writer.bytes(request.session)
  writer.varint(request.truncateAt)
  writer.varint(request.ids.length)
  for (const id of request.ids) writer.varint(id)
  writer.varint(request.topK)
  if (request.firstTopK) {
    writer.varint(request.firstTopK)
    writer.varint(request.firstSkip ?? 0)
  }
  writer.varint(request.positions.length)
  for (const position of request.positions) {
    // 0 asks for the row, n + 1 for n ids.
    writer.varint(position === 'row' ? 0 : position.length + 1)
    if (position !== 'row') writer.ascending(position)
  }
  if (noise) {
    writer.varint(noise.seed)
    writer.varint(noise.stream)
    writer.float64(noise.temperature)
    writer.varint(noise.drawn)
    if (noise.reach) {
      writer.varint(noise.reach.perRank)
      writer.varint(noise.reach.most)
    }
  }
  if (draft) {
    writer.varint(draft.count)
    if (!sameNoise) {
      writer.varint(draft.seed)
      writer.varint(draft.stream)
      writer.float64(draft.settings.temperature)
    }
    if (filters) {
      writer.varint(draftTopK)
      writer.float64(topP)
      writer.float64(minP)
    }
  }
  return writer.done()
}

/** The session of a request, which determines the limits for parsing it. */
export function sessionOf(bytes: Uint8Array): Uint8Array {
  const reader = createByteReader(bytes)
  readVersion(reader.byte())
  reader.byte()
  return reader.bytes(SESSION_BYTES)
}

/** @throws {WireError} if the bytes are not a valid request, or it exceeds the limits */
export function decodeVerifyRequest(bytes: Uint8Array, limits: RequestLimits): VerifyRequest {
  const reader = createByteReader(bytes)
  readVersion(reader.byte())
  const flags = reader.byte()
  const session = reader.bytes(SESSION_BYTES).slice()
  const truncateAt = reader.varint(TEXT_MAX)
  const count = atLeastOne(reader.varint(limits.tokens), 'ids')
  const ids = Array.from({ length: count }, () => reader.varint(limits.vocabularySize - 1))
  const topK = atLeastOne(reader.varint(VOCABULARY_MAX), 'top-k')
  const firstTopK =
    flags & FIRST_TOP_K_FLAG ? atLeastOne(reader.varint(VOCABULARY_MAX), 'first top-k') : undefined
  const firstSkip = firstTopK === undefined ? 0 : reader.varint(firstTopK - 1)
  const positionCount = atLeastOne(reader.varint(count), 'positions')
  const positions = Array.from({ length: positionCount }, (): PositionRequest => {
    const wanted = reader.varint(limits.vocabularySize + 1)
    return wanted === 0 ? 'row' : reader.ascending(wanted - 1, limits.vocabularySize)
  })
  const noise = flags & NOISE_FLAG ? readNoise(reader, flags) : undefined
  if (flags & REACH_FLAG && noise === undefined)
    throw new WireError('ranks that reach as far as no noise says')
  const draft = flags & DRAFT_FLAG ? readDraft(reader, limits.tokens - count, flags, noise) : undefined
  reader.end()
  const precision = flags & FLOAT32_FLAG ? 'float32' : 'float16'
  return {
    session,
    truncateAt,
    ids,
    precision,
    topK,
    positions,
    ...(firstTopK !== undefined && { firstTopK }),
    ...(firstSkip > 0 && { firstSkip }),
    ...(noise && { noise }),
    ...(draft && { draft })
  }
}

function readNoise(reader: ByteReader, flags: number): SharedNoise {
  const seed = reader.varint(Number.MAX_SAFE_INTEGER)
  const stream = reader.varint(2 ** 32 - 1)
  const temperature = reader.float64()
  if (!(temperature > 0)) throw new WireError(`noise requires a temperature above 0, got ${temperature}`)
  checked(() => checkDrawSettings({ temperature }))
  const drawn = atLeastOne(reader.varint(VOCABULARY_MAX), 'drawn ids')
  if (!(flags & REACH_FLAG)) return { seed, stream, temperature, drawn }
  const reach = { perRank: reader.varint(VOCABULARY_MAX), most: reader.varint(VOCABULARY_MAX) }
  return { seed, stream, temperature, drawn, reach }
}

function readDraft(
  reader: ByteReader,
  most: number,
  flags: number,
  noise: SharedNoise | undefined
): RemoteDraft {
  const count = reader.varint(most)
  const same = (flags & SAME_NOISE_FLAG) !== 0
  if (same && noise === undefined)
    throw new WireError("a draft refers to the request's noise, but there is none")
  const seed = same ? noise!.seed : reader.varint(Number.MAX_SAFE_INTEGER)
  const stream = same ? noise!.stream : reader.varint(2 ** 32 - 1)
  const temperature = same ? noise!.temperature : reader.float64()
  const filtered = (flags & FILTERS_FLAG) !== 0
  const topK = filtered ? reader.varint(VOCABULARY_MAX) : 0
  const topP = filtered ? reader.float64() : 1
  const minP = filtered ? reader.float64() : 0
  const settings = { temperature, ...(topK > 0 && { topK }), topP, minP }
  checked(() => checkDrawSettings(settings))
  return { count, settings, seed, stream, rows: (flags & DRAFT_ROWS_FLAG) !== 0 }
}

function checked(check: () => void): void {
  try {
    check()
  } catch (error) {
    throw new WireError((error as Error).message)
  }
}

function readVersion(version: number): void {
  if (version !== WIRE_VERSION)
    throw new WireError(`unsupported logits protocol version ${version}, expected ${WIRE_VERSION}`)
}

function atLeastOne(value: number, name: string): number {
  if (value === 0) throw new WireError(`a request needs ${name}`)
  return value
}
