import { createReadStream, statSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { parse } from 'csv-parse'
import { requireRegularFile } from '../../formats/files/regular-file.ts'
import { cutText } from '../text/cut-text.ts'
import { DataError } from './example.ts'

/** One record of a file and where it stands. */
export interface SourcedRecord {
  readonly record: unknown
  /** `file:line` */
  readonly source: string
}

/** A plain text is cut into documents of at most this many characters, at empty lines if there are any. */
const TEXT_DOCUMENT_CHARACTERS = 8_000
/** A JSON file is parsed as a whole: a larger one belongs into JSONL. */
const JSON_BYTES_MAX = 512 * 1024 * 1024

type Reader = (path: string) => AsyncIterable<SourcedRecord>

const READERS: Readonly<Record<string, Reader>> = {
  '.txt': readText,
  '.md': readText,
  '.jsonl': readJsonLines,
  '.ndjson': readJsonLines,
  '.json': readJson,
  '.csv': (path) => readCsv(path, ','),
  '.tsv': (path) => readCsv(path, '\t')
}

/** Endings of the files that a folder is searched for. */
export const DATA_ENDINGS = Object.keys(READERS)

/**
 * The data files that a path means: itself, or everything under a folder whose ending is known, in the order of their
 * names. Names that begin with a dot are passed over.
 *
 * @throws {DataError} when there is nothing
 */
export async function dataFiles(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new DataError(`there is no data at ${path}`)
  if (!found.isDirectory()) return [path]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => !entry.isDirectory() && DATA_ENDINGS.includes(extname(entry.name).toLowerCase()))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(
      (file) =>
        !file
          .slice(path.length)
          .split(/[/\\]/)
          .some((part) => part.startsWith('.'))
    )
    .sort()
  // A folder behind a link is not searched, as those of dot files are not.
  const kept = files.filter((file) => statSync(file, { throwIfNoEntry: false })?.isDirectory() !== true)
  for (const file of kept) requireData(file)
  if (kept.length === 0) throw new DataError(`${path} holds no data: looked for ${DATA_ENDINGS.join(', ')}`)
  return kept
}

/**
 * The records of one file, by its ending: pieces of a text as `{ text }`, lines of JSONL, elements of a JSON array, rows
 * of a CSV by its header. A file of another ending is JSONL where it begins with a brace, else text.
 *
 * @throws {DataError} naming file and line, when the file is malformed
 */
export async function* readRecords(path: string): AsyncGenerator<SourcedRecord> {
  requireData(path)
  const reader =
    READERS[extname(path).toLowerCase()] ?? ((await beginsWithBrace(path)) ? readJsonLines : readText)
  yield* reader(path)
}

/** @throws {DataError} naming what is no regular file: a FIFO or a device has no end */
function requireData(path: string): void {
  try {
    requireRegularFile(path)
  } catch (error) {
    throw new DataError(error instanceof Error ? error.message : String(error))
  }
}

async function beginsWithBrace(path: string): Promise<boolean> {
  for await (const chunk of createReadStream(path, { start: 0, end: 1023, encoding: 'utf8' }))
    return /^\s*\{/.test(chunk as string)
  return false
}

async function* readText(path: string): AsyncGenerator<SourcedRecord> {
  const text = decodeUtf8(await readFile(path), path)
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

async function* readJsonLines(path: string): AsyncGenerator<SourcedRecord> {
  const lines = createInterface({
    input: createReadStream(path, 'utf8'),
    crlfDelay: Number.POSITIVE_INFINITY
  })
  let number = 0
  for await (const line of lines) {
    number++
    if (line.trim() === '') continue
    const source = `${path}:${number}`
    yield { record: parseJson(line, source), source }
  }
}

async function* readJson(path: string): AsyncGenerator<SourcedRecord> {
  if ((await stat(path)).size > JSON_BYTES_MAX)
    throw new DataError(`${path} has more than 512 MiB: write it as JSONL, one record per line`)
  const text = decodeUtf8(await readFile(path), path)
  const json = parseJson(text, path)
  const records = Array.isArray(json) ? json : [json]
  // A parsed array has no lines: its elements are counted from 1.
  for (const [index, record] of records.entries())
    yield { record, source: Array.isArray(json) ? `${path}:record ${index + 1}` : path }
}

async function* readCsv(path: string, delimiter: string): AsyncGenerator<SourcedRecord> {
  const parser = createReadStream(path).pipe(
    parse({ columns: true, delimiter, bom: true, info: true, skip_empty_lines: true })
  )
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: unknown
      info: { lines: number }
    }>)
      yield { record, source: `${path}:${info.lines}` }
  } catch (error) {
    const { message, lines } = error as Error & { lines?: number }
    throw new DataError(`${path}${lines === undefined ? '' : `:${lines}`}: ${message}`)
  }
}

function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new DataError(`${source}: not valid JSON (${error instanceof Error ? error.message : error})`)
  }
}

function decodeUtf8(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new DataError(`${path} is not UTF-8 text`)
  }
}
