import type { PartialRow, Precision, RankReach, RemoteRow } from '../core/remote-row.ts'
import { createBitReader, createBitWriter } from './bits.ts'
import { type ByteReader, createByteReader } from './byte-reader.ts'
import { type ByteWriter, createByteWriter } from './byte-writer.ts'
import { DIGEST_BYTES, TEXT_MAX, WIRE_VERSION } from './constants.ts'
import {
  depthOf,
  type RankedValue,
  readRanked,
  readValues,
  writeRanked,
  writeValues
} from './ranked-values.ts'
import type { PositionRequest } from './verify-request.ts'
import { IncompleteError, WireError } from './wire-error.ts'

/** What an answer reports about one position. */
export type PositionRecord = (
  | {
      readonly kind: 'part'
      readonly part: PartialRow
      /** Number of ids reported by rank, including omitted ones, if the request leaves it open; otherwise absent. */
      readonly ranks?: number
    }
  | { readonly kind: 'row'; readonly row: RemoteRow }
) & {
  /** The token that the remote drafted at this position. */
  readonly draft?: number
  /**
   * Why the record may belong to a different position than the one after the device's tokens: a remote that receives
   * text may have tokenized it differently. Absent if the record certainly belongs to this position.
   */
  readonly doubt?: string
}

/** Header of an answer. */
export interface AnswerHeader {
  /** First bytes of the model's digest, [DIGEST_BYTES]. */
  readonly digest: Uint8Array
  /** Number of tokens before the first record's token. */
  readonly from: number
}

/** The expected form of an answer, from the request. */
export interface Expectation {
  readonly vocabularySize: number
  readonly topK: number
  /** Replaces `topK` for the first record. */
  readonly firstTopK?: number
  /** Number of these that the first record omits; 0 if absent. */
  readonly firstSkip?: number
  readonly precision: Precision
  readonly positions: readonly PositionRequest[]
  /** Number of ids that the remote reports because it knows the noise; 0 if absent. */
  readonly drawn?: number
  /** Set if records may report more ids by rank than `topK`. */
  readonly reach?: RankReach
  /** Number of drafts requested; 0 if absent. */
  readonly drafts?: number
  /** Whether the records after drafts are whole rows. */
  readonly draftRows?: boolean
  /** Number of tokens before the first record's token. */
  readonly from: number
}

export function encodeAnswerHeader({ digest, from }: AnswerHeader): Uint8Array {
  const writer = createByteWriter()
  writer.byte(WIRE_VERSION)
  writer.bytes(digest.subarray(0, DIGEST_BYTES))
  writer.varint(from)
  return writer.done()
}

/**
 * Encodes a record. Either 0 and all values of a row; or the number of top ids, then, if the noise was shared, the
 * number of further drawn ids, then, packed into bits, the top ids, the further ids and the values of requested ids not
 * among them, then the tail. The draft follows if one was requested.
 *
 * @param part of `partialRow`: its first `min(topK, size) - skip` ids are the top ones
 * @param wanted ids that were requested at this position
 * @throws {RangeError} if a value is above 0, or the value of another id exceeds those of the top ids
 */
export function encodeRecord(
  record: PositionRecord,
  shape: RecordShape,
  wanted: readonly number[]
): Uint8Array {
  const writer = createByteWriter()
  if (record.kind === 'row') {
    writer.varint(0)
    writer.values(record.row, shape.precision)
  } else {
    const topK = record.ranks ?? shape.topK
    writePart(writer, record.part, { ...shape, topK }, new Set(wanted))
  }
  if (record.draft !== undefined) writer.varint(record.draft)
  return writer.done()
}

/** The parts of the request that an encoder needs. */
export type RecordShape = Pick<Expectation, 'topK' | 'vocabularySize' | 'precision' | 'drawn'> & {
  /** Number of top ids that are omitted because the device knows them; 0 if absent. */
  readonly skip?: number
}

function writePart(
  writer: ByteWriter,
  { ids, values, tail }: PartialRow,
  { topK, vocabularySize: size, precision, drawn = 0, skip = 0 }: RecordShape,
  asked: ReadonlySet<number>
): void {
  const count = topCount(topK, skip, size)
  const reported = ids.map((id, place): RankedValue => ({ id, value: values[place]! }))
  const top = reported.slice(0, count)
  const beside = reported.slice(count)
  const further = drawn > 0 ? beside.filter(({ id }) => !asked.has(id)) : []
  const ofAsked = beside.filter(({ id }) => asked.has(id)).sort((a, b) => a.id - b.id)
  writer.varint(count)
  if (drawn > 0) writer.varint(further.length)
  const bits = createBitWriter()
  writeRanked(bits, top, { size, precision, from: 0 })
  const least = top.reduce((lowest, { value }) => Math.min(lowest, value), 0)
  const from = depthOf(least, precision)
  writeRanked(bits, further, { size, precision, from })
  writeValues(
    bits,
    ofAsked.map(({ value }) => value),
    precision,
    from
  )
  writer.bytes(bits.done())
  writer.float32(tail)
}

/** Number of ids that a record reports by rank. */
function topCount(topK: number, skip: number, size: number): number {
  return Math.max(0, Math.min(topK, size) - skip)
}

/** Reads an answer as it arrives. */
export interface AnswerReader {
  /**
   * Returns the records that these bytes complete.
   *
   * @throws {WireError} if the bytes do not match the request
   */
  push(chunk: Uint8Array): PositionRecord[]
  /** Undefined before it has arrived. */
  readonly header: AnswerHeader | undefined
  /** Whether all records have arrived. */
  readonly complete: boolean
  /** @throws {WireError} if records are missing */
  end(): void
}

/** Creates a reader of the answer to a request. It buffers at most the largest record and a chunk. */
export function createAnswerReader(expected: Expectation): AnswerReader {
  const count = expected.positions.length + (expected.drafts ?? 0)
  let pending = new Uint8Array(0)
  let needed = 1
  let header: AnswerHeader | undefined
  let read = 0

  /** Reads one item from the pending bytes; undefined while it is incomplete. */
  const next = <Value>(decode: (reader: ByteReader) => Value): Value | undefined => {
    if (pending.length < needed) return undefined
    const reader = createByteReader(pending)
    try {
      const value = decode(reader)
      pending = pending.subarray(reader.offset)
      needed = 1
      return value
    } catch (error) {
      if (!(error instanceof IncompleteError)) throw error
      needed = error.needed
      return undefined
    }
  }

  return {
    get header() {
      return header
    },
    get complete() {
      return read === count
    },
    push(chunk) {
      pending = joined(pending, chunk)
      header ??= next((reader) => readHeader(reader, expected.from))
      const records: PositionRecord[] = []
      while (header !== undefined && read < count) {
        const record = next((reader) => readRecord(reader, expected, read))
        if (record === undefined) break
        read++
        records.push(record)
      }
      if (read === count && pending.length > 0)
        throw new WireError(`${pending.length} bytes follow the last record`)
      return records
    },
    end() {
      if (read < count) throw new WireError(`the answer ended after ${read} of ${count} records`)
    }
  }
}

/** Maximum size of an id with its value, bytes: 22 bits, and a code of 64 + 31. */
const TOLD_BYTES_MAX = 15

/** Maximum size of an answer, bytes. */
export function answerBytesMax(expected: Expectation): number {
  const width = expected.precision === 'float16' ? 2 : 4
  const row = 1 + expected.vocabularySize * width
  const top = Math.min(
    Math.max(expected.topK, expected.firstTopK ?? 0, expected.reach?.most ?? 0),
    expected.vocabularySize
  )
  const { drafts = 0, drawn = 0 } = expected
  const ofPosition = (position: PositionRequest): number =>
    32 + (position === 'row' ? row : (top + drawn + position.length) * TOLD_BYTES_MAX)
  const positions = [
    ...expected.positions,
    ...Array.from({ length: drafts }, () => askedBehindDrafts(expected))
  ]
  return 1 + DIGEST_BYTES + 8 + positions.reduce((sum, position) => sum + ofPosition(position), 0)
}

function joined(before: Uint8Array, chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(before.length + chunk.length)
  whole.set(before)
  whole.set(chunk, before.length)
  return whole
}

function readHeader(reader: ByteReader, from: number): AnswerHeader {
  const version = reader.byte()
  if (version !== WIRE_VERSION)
    throw new WireError(`unsupported logits protocol version ${version}, expected ${WIRE_VERSION}`)
  const digest = reader.bytes(DIGEST_BYTES).slice()
  const found = reader.varint(TEXT_MAX)
  if (found !== from) throw new WireError(`the answer starts after ${found} tokens, expected ${from}`)
  return { digest, from }
}

function readRecord(reader: ByteReader, expected: Expectation, index: number): PositionRecord {
  const { vocabularySize, positions, drafts = 0 } = expected
  const first = index === 0 && expected.firstTopK !== undefined
  const topK = first ? expected.firstTopK! : expected.topK
  const skip = first ? (expected.firstSkip ?? 0) : 0
  const asked = positions[index] ?? askedBehindDrafts(expected)
  const count = reader.varint(vocabularySize)
  const least = asked === 'row' ? 0 : topCount(topK, skip, vocabularySize)
  const reached = asked === 'row' || first ? undefined : expected.reach
  const most = reached === undefined ? least : topCount(Math.max(topK, reached.most), skip, vocabularySize)
  if (count < least || count > most)
    throw new WireError(
      `a record has ${count} ids, expected ${least === most ? least : `${least} to ${most}`}`
    )
  const body =
    asked === 'row'
      ? readRow(reader, expected)
      : {
          ...readPart(reader, expected, { count, skip, asked }),
          ...(reached !== undefined && { ranks: count })
        }
  const drafted = index >= positions.length - 1 && index < positions.length - 1 + drafts
  return drafted ? { ...body, draft: reader.varint(vocabularySize - 1) } : body
}

/** No ids are requested by number after drafts. */
function askedBehindDrafts({ draftRows = false }: Expectation): PositionRequest {
  return draftRows ? 'row' : []
}

function readRow(
  reader: ByteReader,
  { vocabularySize, precision }: Expectation
): { readonly kind: 'row'; readonly row: RemoteRow } {
  const row = reader.values(vocabularySize, precision)
  checkValues(row)
  return { kind: 'row', row }
}

function readPart(
  reader: ByteReader,
  { vocabularySize: size, precision, drawn = 0 }: Expectation,
  {
    count,
    skip,
    asked: wanted
  }: { readonly count: number; readonly skip: number; readonly asked: readonly number[] }
): { readonly kind: 'part'; readonly part: PartialRow } {
  const furtherCount = drawn > 0 ? reader.varint(drawn) : 0
  const bits = createBitReader(reader)
  const top = readRanked(bits, count, { size, precision, from: 0 })
  if (count > 0 && skip === 0 && top.values[0] !== 0)
    throw new WireError(`the highest relative log-probability must be 0, got ${top.values[0]}`)
  const further = readRanked(bits, furtherCount, { size, precision, from: top.last })
  const known = new Set([...top.ids, ...further.ids])
  if (known.size < count + furtherCount) throw new WireError('an id is reported twice')
  const asked = wanted.filter((id) => !known.has(id))
  const askedValues = readValues(bits, asked.length, precision, top.last)
  bits.end()
  const tail = reader.float32()
  const ids = [...top.ids, ...further.ids, ...asked]
  if (ids.length + skip < Math.min(drawn, size))
    throw new WireError(`${ids.length} ids reported, but ${drawn} were drawn`)
  const least = top.values.at(-1) ?? 0
  checkTail(tail, size - skip - ids.length, least)
  return {
    kind: 'part',
    part: {
      ids,
      values: [...top.values, ...further.values, ...askedValues],
      least: tail === 0 ? Number.NEGATIVE_INFINITY : least,
      tail,
      drawn
    }
  }
}

/** Checks that values are relative to the highest, which is among them. */
function checkValues(values: Float32Array): void {
  let highest = Number.NEGATIVE_INFINITY
  for (const value of values) {
    if (!(value <= 0)) throw new WireError(`a relative log-probability must be at most 0, got ${value}`)
    if (value > highest) highest = value
  }
  if (highest !== 0) throw new WireError(`the highest relative log-probability must be 0, got ${highest}`)
}

/** Checks the tail of `others` ids, none of which has a value above `least`. */
function checkTail(tail: number, others: number, least: number): void {
  const most = others * Math.exp(least)
  const fits = tail >= 0 && tail <= most * (1 + 2 ** -16) + 2 ** -140
  if (fits && !(tail > 0 && (others === 0 || least === Number.NEGATIVE_INFINITY))) return
  throw new WireError(`the tail of ${others} ids must be at most ${most}, got ${tail}`)
}
