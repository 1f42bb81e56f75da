import { stat } from 'node:fs/promises'
import { decodeUtf8Stream } from '../../formats/files/utf8-text.ts'
import { FormatError } from '../../formats/format-error.ts'
import { type JsonFault, jsonFault } from '../../formats/json/json-fault.ts'
import { cutText } from '../text/cut-text.ts'
import { readCsvRecords } from './csv-records.ts'
import { type DATA_ENDINGS, dataEnding, requireData } from './data-files.ts'
import { DataError } from './example.ts'
import { requireDataItself, unpackedBytes } from './file-bytes.ts'
import { readParquetRecords } from './parquet-records.ts'

/** One record of a file and where it stands. */
export interface SourcedRecord {
  readonly record: unknown
  /** `file:line` */
  readonly source: string
  /** What is wrong with a record that could not be read at all, its place included. */
  readonly fault?: string
}

/** A plain text is cut into documents of at most this many characters, at empty lines if there are any. */
const TEXT_DOCUMENT_CHARACTERS = 8_000
/** What is read as a whole: a larger JSON file belongs into JSONL, a larger text into several files. */
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
 * The records of one file, by its ending: pieces of a text as `{ text }`, lines of JSONL, elements of a JSON array, rows
 * of a CSV by its header, any of them packed with gzip or zstd, too; rows of a Parquet file. A file of another ending is
 * JSONL where it begins with a brace, else text. A line or row that cannot be read is a record with a `fault`.
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

/** A file's text in pieces, unpacked, without a byte order mark. */
async function* textOf(path: string): AsyncGenerator<string> {
  let line = 1
  for await (const piece of decodeUtf8Stream(unpackedBytes(path), path)) {
    const zero = piece.indexOf('\0')
    if (zero >= 0)
      throw new DataError(
        `${path}:${line + countLines(piece.slice(0, zero))}: holds a zero byte: it is not text, or damaged`
      )
    line += countLines(piece)
    yield piece
  }
}

function countLines(text: string): number {
  return text.split('\n').length - 1
}

/** A file whose ending says nothing is JSONL where it begins with a brace, else text. */
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
      yield { record: JSON.parse(line), source }
    } catch {
      const { column, reason } = faultOf(line)
      yield { record: undefined, source, fault: `not valid JSON (column ${column}: ${reason})` }
    }
  }
}

/** Lines end at line feeds alone: JSON may hold other separators, such as U+2028, in its strings. */
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
    const { line, column, reason } = faultOf(text)
    throw new DataError(`${path}:${line}: not valid JSON (column ${column}: ${reason})`)
  }
  const records = Array.isArray(json) ? json : [json]
  // A parsed array has no lines: its elements are counted from 1.
  for (const [index, record] of records.entries())
    yield { record, source: Array.isArray(json) ? `${path}:record ${index + 1}` : path }
}

/** Where a text stops being JSON, without the piece of somebody's data that is there. */
function faultOf(text: string): JsonFault {
  const { line, column, reason } = jsonFault(text) ?? { line: 1, column: 1, reason: 'it does not parse' }
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
  return new DataError(`${path} has more than 512 MiB: write it as JSONL, one record per line`)
}
