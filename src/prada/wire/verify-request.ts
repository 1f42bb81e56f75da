import type { Precision } from '../core/remote-row.ts'
import { checkDrawSettings, type DrawSettings } from '../core/scoring.ts'
import { type ByteReader, createByteReader } from './byte-reader.ts'
import { createByteWriter } from './byte-writer.ts'
import { SESSION_BYTES, TEXT_MAX, VOCABULARY_MAX, WIRE_VERSION } from './constants.ts'
import { WireError } from './wire-error.ts'

/** What is asked of one position: ids beside the top k (ascending), or the whole row. */
export type PositionRequest = 'row' | readonly number[]

/** Tokens that the remote is to draft behind the text, from its own distribution with the device's noise. */
export interface RemoteDraft {
  readonly count: number
  readonly settings: DrawSettings
  readonly seed: number
  readonly stream: number
}

/** The noise of the device's draws, so that the remote can tell the ids that are likeliest to win. */
export interface SharedNoise {
  readonly seed: number
  readonly stream: number
  /** Above 0. */
  readonly temperature: number
  /** Ids that every record tells, those with the highest value / T + G. */
  readonly drawn: number
}

/**
 * One trip: keep the first `truncateAt` tokens, append `ids`, and tell the distribution behind each of the last ones.
 * Asked twice, it is answered twice in the same way.
 */
export interface VerifyRequest {
  /** [SESSION_BYTES] */
  readonly session: Uint8Array
  readonly truncateAt: number
  /** At least one. */
  readonly ids: readonly number[]
  readonly precision: Precision
  /** Ids that every record tells, the likeliest. */
  readonly topK: number
  /** One a position, for the last positions of `ids`; at least one, at most as many as `ids`. */
  readonly positions: readonly PositionRequest[]
  /** Ids that the first record tells in place of `topK`, where an answer before left that position open. */
  readonly firstTopK?: number
  readonly noise?: SharedNoise
  /** Records of the positions behind drafts follow; only with one position. */
  readonly draft?: RemoteDraft
}

/** What a server takes. */
export interface RequestLimits {
  /** Ids of the session's vocabulary. */
  readonly vocabularySize: number
  /** Most tokens a request, drafts included. */
  readonly tokens: number
}

const FLOAT32_FLAG = 1
const DRAFT_FLAG = 2
const NOISE_FLAG = 4
const FIRST_TOP_K_FLAG = 8
const ALL_FLAGS = 15

export function encodeVerifyRequest(request: VerifyRequest): Uint8Array {
  const writer = createByteWriter()
  writer.byte(WIRE_VERSION)
  writer.byte(
    (request.precision === 'float32' ? FLOAT32_FLAG : 0) |
      (request.draft ? DRAFT_FLAG : 0) |
      (request.noise ? NOISE_FLAG : 0) |
      (request.firstTopK ? FIRST_TOP_K_FLAG : 0)
  )
  writer.bytes(request.session)
  writer.varint(request.truncateAt)
  writer.varint(request.ids.length)
  for (const id of request.ids) writer.varint(id)
  writer.varint(request.topK)
  if (request.firstTopK) writer.varint(request.firstTopK)
  writer.varint(request.positions.length)
  for (const position of request.positions) {
    // 0 asks for the row, n + 1 for n ids.
    writer.varint(position === 'row' ? 0 : position.length + 1)
    if (position !== 'row') writer.ascending(position)
  }
  if (request.noise) {
    const { seed, stream, temperature, drawn } = request.noise
    writer.varint(seed)
    writer.varint(stream)
    writer.float64(temperature)
    writer.varint(drawn)
  }
  if (request.draft) {
    const { count, settings, seed, stream } = request.draft
    writer.varint(count)
    writer.varint(seed)
    writer.varint(stream)
    writer.float64(settings.temperature)
    writer.varint(settings.topK ?? 0)
    writer.float64(settings.topP ?? 1)
    writer.float64(settings.minP ?? 0)
  }
  return writer.done()
}

/** The session that a request is for, which decides by which limits it is read. */
export function sessionOf(bytes: Uint8Array): Uint8Array {
  const reader = createByteReader(bytes)
  readVersion(reader.byte())
  reader.byte()
  return reader.bytes(SESSION_BYTES)
}

/** @throws {WireError} when the bytes are no request, or it asks for more than the limits allow */
export function decodeVerifyRequest(bytes: Uint8Array, limits: RequestLimits): VerifyRequest {
  const reader = createByteReader(bytes)
  readVersion(reader.byte())
  const flags = reader.byte()
  if (flags > ALL_FLAGS) throw new WireError(`flags ${flags} are unknown`)
  const session = reader.bytes(SESSION_BYTES).slice()
  const truncateAt = reader.varint(TEXT_MAX)
  const count = atLeastOne(reader.varint(limits.tokens), 'ids')
  const ids = Array.from({ length: count }, () => reader.varint(limits.vocabularySize - 1))
  const topK = atLeastOne(reader.varint(VOCABULARY_MAX), 'top-k')
  const firstTopK =
    flags & FIRST_TOP_K_FLAG ? atLeastOne(reader.varint(VOCABULARY_MAX), 'first top-k') : undefined
  const positionCount = atLeastOne(reader.varint(count), 'positions')
  const positions = Array.from({ length: positionCount }, (): PositionRequest => {
    const wanted = reader.varint(limits.vocabularySize + 1)
    return wanted === 0 ? 'row' : reader.ascending(wanted - 1, limits.vocabularySize)
  })
  const noise = flags & NOISE_FLAG ? readNoise(reader) : undefined
  const draft = flags & DRAFT_FLAG ? readDraft(reader, limits.tokens - count) : undefined
  if (draft && positionCount > 1) throw new WireError('drafts follow one position, not several')
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
    ...(noise && { noise }),
    ...(draft && { draft })
  }
}

function readNoise(reader: ByteReader): SharedNoise {
  const seed = reader.varint(Number.MAX_SAFE_INTEGER)
  const stream = reader.varint(2 ** 32 - 1)
  const temperature = reader.float64()
  if (!(temperature > 0)) throw new WireError(`noise at temperature ${temperature} has no meaning`)
  checked(() => checkDrawSettings({ temperature }))
  return { seed, stream, temperature, drawn: atLeastOne(reader.varint(VOCABULARY_MAX), 'drawn ids') }
}

function readDraft(reader: ByteReader, most: number): RemoteDraft {
  const count = reader.varint(most)
  const seed = reader.varint(Number.MAX_SAFE_INTEGER)
  const stream = reader.varint(2 ** 32 - 1)
  const temperature = reader.float64()
  const topK = reader.varint(VOCABULARY_MAX)
  const topP = reader.float64()
  const minP = reader.float64()
  const settings = { temperature, ...(topK > 0 && { topK }), topP, minP }
  checked(() => checkDrawSettings(settings))
  return { count, settings, seed, stream }
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
    throw new WireError(
      `version ${version} of the logits protocol is unknown, this is version ${WIRE_VERSION}`
    )
}

function atLeastOne(value: number, name: string): number {
  if (value === 0) throw new WireError(`a request needs ${name}`)
  return value
}
