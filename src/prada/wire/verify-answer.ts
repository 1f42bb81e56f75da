import type { PartialRow, Precision, RemoteRow } from '../core/remote-row.ts'
import { type ByteReader, createByteReader } from './byte-reader.ts'
import { createByteWriter } from './byte-writer.ts'
import { DIGEST_BYTES, TEXT_MAX, WIRE_VERSION } from './constants.ts'
import type { PositionRequest } from './verify-request.ts'
import { IncompleteError, WireError } from './wire-error.ts'

/** What an answer tells of one position. */
export type PositionRecord = (
  | { readonly kind: 'part'; readonly part: PartialRow }
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
  readonly precision: Precision
  readonly positions: readonly PositionRequest[]
  /** Ids that the remote tells because it knows the noise; 0 where it is absent. */
  readonly drawn?: number
  /** Drafts that were asked for; 0 where it is absent. */
  readonly drafts?: number
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
 * A record: 0 and all values of a row; or k, the top ids in ascending order and their values; where the noise was shared
 * the number of further drawn ids, these and their values alike; the values of those ids that were asked for and have not
 * been told; and the tail. Then the draft, where one was asked for.
 *
 * @param part of `partialRow`: its first `min(topK, size)` ids are the top ones
 * @param wanted ids that were asked for at this position
 */
export function encodeRecord(
  record: PositionRecord,
  { topK, vocabularySize, precision, drawn = 0 }: RecordShape,
  wanted: readonly number[]
): Uint8Array {
  const writer = createByteWriter()
  if (record.kind === 'row') {
    writer.varint(0)
    writer.values(record.row, precision)
  } else {
    const { ids, values, tail } = record.part
    const count = Math.min(topK, vocabularySize)
    const asked = new Set(wanted)
    const told = ids.map((id, place): Told => ({ id, value: values[place]!, asked: asked.has(id) }))
    const list = (entries: readonly Told[]): void => {
      const ascending = entries.toSorted((a, b) => a.id - b.id)
      writer.varint(ascending.length)
      writer.ascending(ascending.map(({ id }) => id))
      writer.values(valuesOf(ascending), precision)
    }
    list(told.slice(0, count))
    const further = told.slice(count)
    if (drawn > 0) list(further.filter((entry) => !entry.asked))
    const ofAsked = further.filter((entry) => entry.asked)
    writer.values(valuesOf(ofAsked.sort((a, b) => a.id - b.id)), precision)
    writer.float32(tail)
  }
  if (record.draft !== undefined) writer.varint(record.draft)
  return writer.done()
}

/** What an encoder has to know of the request. */
export type RecordShape = Pick<Expectation, 'topK' | 'vocabularySize' | 'precision' | 'drawn'>

interface Told {
  readonly id: number
  readonly value: number
  readonly asked: boolean
}

function valuesOf(entries: readonly Told[]): number[] {
  return entries.map(({ value }) => value)
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

/** Most bytes that an answer can have. */
export function answerBytesMax(expected: Expectation): number {
  const width = expected.precision === 'float16' ? 2 : 4
  const row = 1 + expected.vocabularySize * width
  const top = Math.min(Math.max(expected.topK, expected.firstTopK ?? 0), expected.vocabularySize)
  const { drafts = 0, drawn = 0 } = expected
  const ofPosition = (position: PositionRequest): number =>
    16 + (position === 'row' ? row : (top + drawn) * (4 + width) + position.length * width)
  const positions = [...expected.positions, ...Array.from({ length: drafts }, (): PositionRequest => [])]
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
  const topK = index === 0 ? (expected.firstTopK ?? expected.topK) : expected.topK
  // Behind drafts nothing was asked for but the top k.
  const asked = positions[index] ?? []
  const count = reader.varint(vocabularySize)
  const told = asked === 'row' ? 0 : Math.min(topK, vocabularySize)
  if (count !== told) throw new WireError(`a record has ${count} ids, ${told} were asked for`)
  const body = asked === 'row' ? readRow(reader, expected) : readPart(reader, expected, count, asked)
  const drafted = index >= positions.length - 1 && index < positions.length - 1 + drafts
  return drafted ? { ...body, draft: reader.varint(vocabularySize - 1) } : body
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
  count: number,
  wanted: readonly number[]
): { readonly kind: 'part'; readonly part: PartialRow } {
  const top = reader.ascending(count, size)
  const topValues = reader.values(count, precision)
  checkValues(topValues)
  const least = topValues.reduce((lowest, value) => Math.min(lowest, value), 0)
  const further = reader.ascending(drawn > 0 ? reader.varint(drawn) : 0, size)
  const known = new Set([...top, ...further])
  if (known.size < count + further.length) throw new WireError('an id is told twice')
  const furtherValues = reader.values(further.length, precision)
  const asked = wanted.filter((id) => !known.has(id))
  const askedValues = reader.values(asked.length, precision)
  const tail = reader.float32()
  const ids = [...top, ...further, ...asked]
  for (const value of [...furtherValues, ...askedValues])
    if (!(value <= least)) throw new WireError(`a value is ${value}, above the lowest of the top ${count}`)
  if (ids.length < Math.min(drawn, size))
    throw new WireError(`${ids.length} ids are told, ${drawn} were drawn`)
  checkTail(tail, size - ids.length, least)
  return {
    kind: 'part',
    part: {
      ids,
      values: [...topValues, ...furtherValues, ...askedValues],
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
