import type { PartialRow, Precision, RankReach, RemoteRow } from '../core/remote-row.ts'
import { createBitReader, createBitWriter } from './bits.ts'
import { type ByteReader, createByteReader } from './byte-reader.ts'
import { type ByteWriter, createByteWriter } from './byte-writer.ts'
import { DIGEST_BYTES, TEXT_MAX, WIRE_VERSION } from './constants.ts'
import { depthOf, readRanked, readValues, type ToldValue, writeRanked, writeValues } from './told-values.ts'
import type { PositionRequest } from './verify-request.ts'
import { IncompleteError, WireError } from './wire-error.ts'

/** What an answer tells of one position. */
export type PositionRecord = (
  | {
      readonly kind: 'part'
      readonly part: PartialRow
      /** Ids told by rank, those left out included, where the request leaves it open; as many as it says if absent. */
      readonly ranks?: number
    }
  | { readonly kind: 'row'; readonly row: RemoteRow }
) & {
  /** The token that the remote drafted behind this position. */
  readonly draft?: number
  /**
   * Why the record may be of another position than the device's tokens make: a remote that is given text may have cut it
   * into other tokens. Absent where it certainly is of this one.
   */
  readonly doubt?: string
}

/** Beginning of an answer. */
export interface AnswerHeader {
  /** First bytes of the model's digest, [DIGEST_BYTES]. */
  readonly digest: Uint8Array
  /** Tokens before the first record's token. */
  readonly from: number
}

/** What an answer has to be, from what was asked. */
export interface Expectation {
  readonly vocabularySize: number
  readonly topK: number
  /** In place of `topK` for the first record. */
  readonly firstTopK?: number
  /** Of these the ones that the first record leaves out; 0 where it is absent. */
  readonly firstSkip?: number
  readonly precision: Precision
  readonly positions: readonly PositionRequest[]
  /** Ids that the remote tells because it knows the noise; 0 where it is absent. */
  readonly drawn?: number
  /** Where records tell more ids by rank than `topK`. */
  readonly reach?: RankReach
  /** Drafts that were asked for; 0 where it is absent. */
  readonly drafts?: number
  /** Whether the records behind drafts are whole rows. */
  readonly draftRows?: boolean
  /** Tokens before the first record's token. */
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
 * A record: 0 and all values of a row; or the number of top ids, where the noise was shared that of further drawn ids, and
 * packed into bits the top ids, the further ones and the values of those that were asked for and have not been told; then
 * the tail. Then the draft, where one was asked for.
 *
 * @param part of `partialRow`: its first `min(topK, size) - skip` ids are the top ones
 * @param wanted ids that were asked for at this position
 * @throws {RangeError} when a value is above 0, or one beside the top ids above theirs
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

/** What an encoder has to know of the request. */
export type RecordShape = Pick<Expectation, 'topK' | 'vocabularySize' | 'precision' | 'drawn'> & {
  /** Of the top ids, those that are left out, as the device knows them; 0 where it is absent. */
  readonly skip?: number
}

function writePart(
  writer: ByteWriter,
  { ids, values, tail }: PartialRow,
  { topK, vocabularySize: size, precision, drawn = 0, skip = 0 }: RecordShape,
  asked: ReadonlySet<number>
): void {
  const count = topCount(topK, skip, size)
  const told = ids.map((id, place): ToldValue => ({ id, value: values[place]! }))
  const top = told.slice(0, count)
  const beside = told.slice(count)
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

/** Ids that a record tells by rank. */
function topCount(topK: number, skip: number, size: number): number {
  return Math.max(0, Math.min(topK, size) - skip)
}

/** Reads an answer as it comes in. */
export interface AnswerReader {
  /**
   * Records that these bytes complete.
   *
   * @throws {WireError} when what came is not what was asked for
   */
  push(chunk: Uint8Array): PositionRecord[]
  /** Undefined before it has come. */
  readonly header: AnswerHeader | undefined
  /** Whether all records have come. */
  readonly complete: boolean
  /** @throws {WireError} when records are missing */
  end(): void
}

/** A reader of the answer to a request. It holds no more than the largest record and a chunk. */
export function createAnswerReader(expected: Expectation): AnswerReader {
  const count = expected.positions.length + (expected.drafts ?? 0)
  let pending = new Uint8Array(0)
  let needed = 1
  let header: AnswerHeader | undefined
  let read = 0

  /** Reads one thing from the pending bytes; undefined while it is not whole. */
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

/** Most bytes of an id with its value: 22 bits, and a code of 64 + 31. */
const TOLD_BYTES_MAX = 15

/** Most bytes that an answer can have. */
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
    throw new WireError(
      `version ${version} of the logits protocol is unknown, this is version ${WIRE_VERSION}`
    )
  const digest = reader.bytes(DIGEST_BYTES).slice()
  const found = reader.varint(TEXT_MAX)
  if (found !== from) throw new WireError(`the answer begins behind ${found} tokens, not ${from}`)
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
      `a record has ${count} ids, ${least === most ? least : `${least} to ${most}`} were asked for`
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

/** Behind drafts nothing is asked for by number. */
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
    throw new WireError(`the highest relative log-probability is ${top.values[0]}, not 0`)
  const further = readRanked(bits, furtherCount, { size, precision, from: top.last })
  const known = new Set([...top.ids, ...further.ids])
  if (known.size < count + furtherCount) throw new WireError('an id is told twice')
  const asked = wanted.filter((id) => !known.has(id))
  const askedValues = readValues(bits, asked.length, precision, top.last)
  bits.end()
  const tail = reader.float32()
  const ids = [...top.ids, ...further.ids, ...asked]
  if (ids.length + skip < Math.min(drawn, size))
    throw new WireError(`${ids.length} ids are told, ${drawn} were drawn`)
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

/** Values are relative to the highest, which is among them. */
function checkValues(values: Float32Array): void {
  let highest = Number.NEGATIVE_INFINITY
  for (const value of values) {
    if (!(value <= 0)) throw new WireError(`a relative log-probability is ${value}`)
    if (value > highest) highest = value
  }
  if (highest !== 0) throw new WireError(`the highest relative log-probability is ${highest}, not 0`)
}

/** A tail of `others` ids of which none has more than `least`. */
function checkTail(tail: number, others: number, least: number): void {
  const most = others * Math.exp(least)
  const fits = tail >= 0 && tail <= most * (1 + 2 ** -16) + 2 ** -140
  if (fits && !(tail > 0 && (others === 0 || least === Number.NEGATIVE_INFINITY))) return
  throw new WireError(`the tail of ${others} ids is ${tail}, at most ${most} is possible`)
}
