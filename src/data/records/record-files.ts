import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { decodeUtf8Stream } from '../../formats/files/utf8-text.ts'
import { FormatError } from '../../formats/format-error.ts'
import { type JsonFault, jsonFault } from '../../formats/json/json-fault.ts'
import { cutText } from '../text/cut-text.ts'
import { readCsvRecords } from './csv-records.ts'
import { type DATA_ENDINGS, dataEnding, requireData } from './data-files.ts'
import { DataError } from './example.ts'
import { requireDataItself, unpackedBytes } from './file-bytes.ts'
import { readParquetRecords } from './parquet-records.ts'

/** One record of a file and its place. */
export interface SourcedRecord {
  readonly record: unknown
  /** `file:line` */
  readonly source: string
  /** Why a record could not be read at all, including its place. */
  readonly fault?: string
}

/** A plain text is cut into documents of at most this many characters, preferably at empty lines. */
const TEXT_DOCUMENT_CHARACTERS = 8_000
/** Largest file that is read as a whole: a larger JSON file should be JSONL, a larger text several files. */
const WHOLE_BYTES_MAX = 512 * 1024 * 1024
const LINE_CHARACTERS_MAX = 256 * 1024 * 1024

type Reader = (path: string, text: AsyncIterable<string>) => AsyncIterable<SourcedRecord>

const READERS: Readonly<Record<Exclude<(typeof DATA_ENDINGS)[number], '.parquet'>, Reader>> = {
  '.txt': readText,
  '.md': readText,
  '.jsonl': readJsonLines,
  '.ndjson': readJsonLines,
  '.json': readJson,
  '.csv': readCsvRecords,
  '.tsv': readCsvRecords
}

/**
 * The records of one file, by its extension: pieces of a text as `{ text }`, lines of JSONL, elements of a JSON array,
 * rows of a CSV by its header, any of which may be compressed with gzip or zstd; rows of a Parquet file. A file with
 * another extension is JSONL if it begins with a brace, otherwise text. A line or row that cannot be read becomes a
 * record with a `fault`.
 *
 * @throws {DataError} naming file and line, when the file as a whole is malformed, or not UTF-8
 */
export async function* readRecords(path: string): AsyncGenerator<SourcedRecord> {
  requireData(path)
  await requireDataItself(path)
  const ending = dataEnding(path)
  if (ending === '.parquet') return yield* readParquetRecords(path)
  try {
    const reader = ending === undefined ? await guessReader(path) : READERS[ending]
    yield* reader(path, textOf(path))
  } catch (error) {
    if (error instanceof FormatError) throw new DataError(error.message)
    throw error
  }
}

/** A file's text in pieces, decompressed, without a byte order mark. */
async function* textOf(path: string): AsyncGenerator<string> {
  let line = 1
  for await (const piece of decodeUtf8Stream(unpackedBytes(path), path)) {
    const zero = piece.indexOf('\0')
    if (zero >= 0)
      throw new DataError(
        `${path}:${line + countLines(piece.slice(0, zero))}: contains a zero byte: it is not text, or damaged`
      )
    line += countLines(piece)
    yield piece
  }
}

function countLines(text: string): number {
  return text.split('\n').length - 1
}

/** A file whose extension is not known is JSONL if it begins with a brace, otherwise text. */
async function guessReader(path: string): Promise<Reader> {
  for await (const chunk of textOf(path)) return /^\s*\{/.test(chunk) ? readJsonLines : readText
  return readText
}

async function* readText(path: string, pieces: AsyncIterable<string>): AsyncGenerator<SourcedRecord> {
  const text = await whole(path, pieces)
  let line = 1
  let [before, from] = [0, 0]
  for (const piece of cutText(text, TEXT_DOCUMENT_CHARACTERS)) {
    const place = text.indexOf(piece, from)
    line += text.slice(before, place).split('\n').length - 1
    before = place
    from = place + piece.length
    yield { record: { text: piece }, source: `${path}:${line}` }
  }
}

async function* readJsonLines(path: string, pieces: AsyncIterable<string>): AsyncGenerator<SourcedRecord> {
  let number = 0
  for await (const line of linesOf(path, pieces)) {
    number++
    if (line.trim() === '') continue
    const source = `${path}:${number}`
    try {
      yield checked(JSON.parse(line), line, source)
    } catch {
      const { column, reason } = faultOf(line)
      yield { record: undefined, source, fault: `not valid JSON (column ${column}: ${reason})` }
    }
  }
}

/** Only line feeds end lines: JSON strings may contain other separators, such as U+2028. */
async function* linesOf(path: string, pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let open = ''
  for await (const piece of pieces) {
    if (open.length + piece.length > LINE_CHARACTERS_MAX)
      throw new DataError(`${path} has a line of more than 256 MiB: is it JSONL?`)
    const lines = piece.split('\n')
    lines[0] = open + lines[0]!
    open = lines.pop()!
    yield* lines
  }
  if (open !== '') yield open
}

async function* readJson(path: string, pieces: AsyncIterable<string>): AsyncGenerator<SourcedRecord> {
  if ((await stat(path)).size > WHOLE_BYTES_MAX) throw tooLarge(path)
  const text = await whole(path, pieces)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    if (isJsonLines(text)) return yield* readJsonLines(path, Readable.from([text]))
    const { line, column, reason } = faultOf(text)
    throw new DataError(`${path}:${line}: not valid JSON (column ${column}: ${reason})`)
  }
  const records = Array.isArray(json) ? json : [json]
  // A parsed array has no line numbers: its elements are counted from 1.
  for (const [index, record] of records.entries())
    yield checked(record, text, Array.isArray(json) ? `${path}:record ${index + 1}` : path)
}

/** Whether a text has a JSON object on each line: data sets are often saved so, as .json. */
function isJsonLines(text: string): boolean {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines.length > 1 && lines.every((line) => /^\s*\{.*\}\s*$/.test(line))
}

/** An escaped half of a surrogate pair. */
const ESCAPED_HALF = /\\u[dD][89a-fA-F]/

/**
 * A record with a fault if one of its strings contains half a character, which has no form in UTF-8.
 *
 * @param text of the record, or of a file with it
 */
function checked(record: unknown, text: string, source: string): SourcedRecord {
  const place = ESCAPED_HALF.test(text) ? halfCharacterIn(record) : undefined
  if (place === undefined) return { record, source }
  const fault = `contains half a character (\\ud800 to \\udfff alone), as of a text that was cut inside an emoji: remove it`
  return { record: undefined, source, fault: place === '' ? fault : `"${place}": ${fault}` }
}

/** The place of the first string with half a character. */
function halfCharacterIn(value: unknown, place = ''): string | undefined {
  if (typeof value === 'string') return /\p{Cs}/u.test(value) ? place : undefined
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, part] of Object.entries(value)) {
    const found = halfCharacterIn(part, place === '' ? key : `${place}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

/** Where a text stops being JSON, without an excerpt of the data, which may be private. */
function faultOf(text: string): JsonFault {
  const { line, column, reason } = jsonFault(text) ?? { line: 1, column: 1, reason: 'it cannot be parsed' }
  return { line, column, reason: reason.replace(/, found "(?:[^"\\]|\\.)*"/, '') }
}

async function whole(path: string, pieces: AsyncIterable<string>): Promise<string> {
  const parts: string[] = []
  let length = 0
  for await (const piece of pieces) {
    parts.push(piece)
    length += piece.length
    if (length > WHOLE_BYTES_MAX) throw tooLarge(path)
  }
  return parts.join('')
}

function tooLarge(path: string): DataError {
  return new DataError(`${path} is larger than 512 MiB: write it as JSONL, one record per line`)
}
