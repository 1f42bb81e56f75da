import type { Precision, RankReach } from '../core/remote-row.ts'
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
  /** Whether the records behind drafts are whole rows. */
  readonly rows: boolean
}

/** The noise of the device's draws, so that the remote can tell the ids that are likeliest to win. */
export interface SharedNoise {
  readonly seed: number
  readonly stream: number
  /** Above 0. */
  readonly temperature: number
  /** Ids that every record tells, those with the highest value / T + G. */
  readonly drawn: number
  /** Where records tell as many ids by rank as the draw's winner makes necessary. */
  readonly reach?: RankReach
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
  /** Of these the likeliest that the first record leaves out, as the device knows them; only with `firstTopK`. */
  readonly firstSkip?: number
  readonly noise?: SharedNoise
  /** Records of the positions behind the remote's own drafts follow, which begin behind the last position. */
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
  if (!(temperature > 0)) throw new WireError(`noise at temperature ${temperature} has no meaning`)
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
  if (same && noise === undefined) throw new WireError('a draft with the noise of none')
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
    throw new WireError(
      `version ${version} of the logits protocol is unknown, this is version ${WIRE_VERSION}`
    )
}

function atLeastOne(value: number, name: string): number {
  if (value === 0) throw new WireError(`a request needs ${name}`)
  return value
}
