import { open } from 'node:fs/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects
} from 'hyparquet'
import { loadZstd, unpackZstd } from '../../formats/packing/zstd.ts'
import { DataError } from './example.ts'
import type { SourcedRecord } from './record-files.ts'

/** A row group is decoded as a whole. */
const GROUP_BYTES_MAX = 1024 * 1024 * 1024
const GROUP_ROWS_MAX = 16 * 1024 * 1024
/** The footer has the file's metadata. */
const FOOTER_BYTES_MAX = 256 * 1024 * 1024
/** A page's header may claim any size. */
const PAGE_BYTES_MAX = 512 * 1024 * 1024
const SHOWN_BYTES = 16

/** The worker's input. */
export interface ParquetJob {
  readonly path: string
}

/** A message from the worker: the next row group's size, some of its rows, the end, or the fault of the file. */
export type ParquetMessage =
  | { readonly kind: 'group'; readonly bytes: number }
  | { readonly kind: 'rows'; readonly rows: readonly SourcedRecord[] }
  | { readonly kind: 'end' }
  | { readonly kind: 'fault'; readonly message: string }

/** Number of rows per message. */
const MESSAGE_ROWS = 1000

/** Decodes a file step by step. @throws {DataError} naming the file */
async function* messagesOf(path: string): AsyncGenerator<ParquetMessage> {
  const handle = await open(path)
  try {
    const file = await asyncBufferOf(handle)
    const compressors = await createCompressors(path)
    const metadata = await understood(path, () => readMetadata(file))
    let start = 0
    for (const [group, { num_rows, total_byte_size }] of metadata.row_groups.entries()) {
      const end = start + Number(num_rows)
      if (total_byte_size > GROUP_BYTES_MAX || num_rows > GROUP_ROWS_MAX)
        throw new DataError(
          `${path}: row group ${group + 1} has ${num_rows} rows and ${total_byte_size} bytes, too many to hold in memory: write the file with smaller row groups, such as dataset.to_parquet(file, batch_size=1000)`
        )
      yield { kind: 'group', bytes: Number(total_byte_size) }
      const range = { rowStart: start, rowEnd: end }
      const rows = await understood(path, () =>
        parquetReadObjects({ file, metadata, compressors, utf8: false, parsers: PARSERS, ...range })
      )
      if (rows.length !== end - start)
        throw new DataError(`${path} is damaged: ${rows.length} of ${end - start} rows could be read`)
      for (let from = 0; from < rows.length; from += MESSAGE_ROWS)
        yield {
          kind: 'rows',
          rows: rows
            .slice(from, from + MESSAGE_ROWS)
            .map((row, index) => recordOf(row, `${path}:row ${start + from + index + 1}`))
        }
      start = end
    }
  } finally {
    await handle.close()
  }
  yield { kind: 'end' }
}

async function readMetadata(file: AsyncBuffer): Promise<FileMetaData> {
  if (file.byteLength < 12) throw new Error('it is truncated')
  const tail = new DataView(await file.slice(file.byteLength - 8))
  const magic = tail.getUint32(4, true)
  if (magic === 0x45524150) throw new Error('it is encrypted')
  if (magic !== 0x31524150) throw new Error('it is truncated: the end is missing')
  if (tail.getUint32(0, true) > FOOTER_BYTES_MAX) throw new Error('its footer is too long')
  return parquetMetadataAsync(file, { geoparquet: false })
}

async function asyncBufferOf(handle: Awaited<ReturnType<typeof open>>): Promise<AsyncBuffer> {
  const { size } = await handle.stat()
  return {
    byteLength: size,
    async slice(start, end = size) {
      if (start < 0 || end > size || end < start) throw new Error('a part is outside the file')
      const bytes = new Uint8Array(end - start)
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, start)
      if (bytesRead !== bytes.length) throw new Error('it is truncated')
      return bytes.buffer
    }
  }
}

/** Runs a step of the decoding. @throws {DataError} naming the file */
async function understood<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof DataError) throw error
    const reason = (error as Error).message.replace(/\s+/g, ' ').slice(0, 200)
    const codec = /unsupported compression codec: (\w+)/.exec(reason)?.[1]
    if (codec !== undefined)
      throw new DataError(
        `${path}: its pages are compressed with ${codec}, which is not supported: write it with snappy, zstd, gzip or brotli`
      )
    throw new DataError(`${path} cannot be read as a Parquet file (${reason}): download or write it again`)
  }
}

async function createCompressors(path: string): Promise<Compressors> {
  const zstd = await loadZstd()
  const bounded = (length: number): { readonly maxOutputLength: number } => {
    if (length > PAGE_BYTES_MAX) throw new Error('a page is larger than 512 MiB')
    return { maxOutputLength: Math.max(1, length) }
  }
  return {
    GZIP: (packed, length) => gunzipSync(packed, bounded(length)),
    BROTLI: (packed, length) => brotliDecompressSync(packed, bounded(length)),
    ZSTD: (packed, length) => {
      bounded(length)
      return Buffer.concat([...unpackZstd(zstd, packed, path)])
    }
  }
}

/** Stands for bytes that are declared as text but are not UTF-8. */
class NotText {}

const PARSERS = {
  stringFromBytes: (bytes: Uint8Array | undefined) => bytes && (textOf(bytes) ?? new NotText()),
  jsonFromBytes: (bytes: Uint8Array | undefined) => {
    if (bytes === undefined) return undefined
    const text = textOf(bytes)
    return text === undefined ? new NotText() : JSON.parse(text)
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function recordOf(row: Readonly<Record<string, unknown>>, source: string): SourcedRecord {
  const faults: string[] = []
  const record = Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      plain(value, () => faults.push(`the column ${JSON.stringify(column)} is not UTF-8 text`))
    ])
  )
  const [fault] = faults
  return fault === undefined ? { record, source } : { record: undefined, source, fault }
}

/** Converts a value to JSON. Of binary values only the first bytes are kept, since nothing uses them. */
function plain(value: unknown, onNotText: () => void): unknown {
  if (value === undefined || value === null) return null
  if (value instanceof NotText) return onNotText()
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return textOf(value) ?? value.slice(0, SHOWN_BYTES)
  if (ArrayBuffer.isView(value))
    return Array.from(value as unknown as ArrayLike<unknown>, (part) => plain(part, onNotText))
  if (Array.isArray(value)) return value.map((part) => plain(part, onNotText))
  if (typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part != null)
      .map(([key, part]) => [key, plain(part, onNotText)])
  )
}

/** Sends one message per request, so that no more than one is in flight. */
const port = parentPort
if (port !== null) {
  const { path } = workerData as ParquetJob
  const news = messagesOf(path)
  port.on('message', () => {
    news
      .next()
      .then(({ value }) => port.postMessage(value))
      .catch((error: Error) => port.postMessage({ kind: 'fault', message: error.message }))
  })
}
