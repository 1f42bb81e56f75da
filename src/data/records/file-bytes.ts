import { createReadStream } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { HEAD_BYTES, notTheFileItself } from '../../formats/files/not-the-file.ts'
import { loadZstd, unpackZstd } from '../../formats/packing/zstd.ts'
import { dataEnding, packingOf } from './data-files.ts'
import { DataError } from './example.ts'

/** A file compressed with zstd is held in memory as a whole. */
const ZSTD_BYTES_MAX = 512 * 1024 * 1024

/** The first bytes of a format, its extension if it is supported, and what to do. */
const SIGNATURES: readonly (readonly [string, string | undefined, string])[] = [
  ['1f8b', '.gz', 'is compressed with gzip: name it with .gz at the end (data.jsonl.gz)'],
  ['28b52ffd', '.zst', 'is compressed with zstd: name it with .zst at the end (data.jsonl.zst)'],
  ['50415231', '.parquet', 'is a Parquet file: name it with .parquet at the end'],
  ['504b0304', undefined, 'is a ZIP file (as .xlsx and .docx are): unpack it, or save it as CSV or JSONL'],
  ['425a68', undefined, 'is compressed with bzip2: decompress it'],
  ['fd377a585a00', undefined, 'is compressed with XZ: decompress it'],
  ['25504446', undefined, 'is a PDF: save it as text'],
  ['4152524f5731', undefined, 'is an Arrow file: write it as Parquet or JSONL'],
  ['53514c69746520666f726d6174', undefined, 'is an SQLite database: write the data as JSONL'],
  ['47475546', undefined, 'is a GGUF file, a model: choose data']
]
/** A text may be the source of a web page; records are not. */
const TEXT_ENDINGS: readonly (string | undefined)[] = ['.txt', '.md', undefined]

/**
 * Refuses a file that stands in for the data, or has another format than its name says.
 *
 * @throws {DataError} naming the file and what to do
 */
export async function requireDataItself(path: string): Promise<void> {
  const head = await readHead(path)
  const standIn = notTheFileItself(head)
  const isPage = standIn?.startsWith('is a web page') === true
  if (standIn !== undefined && !(isPage && TEXT_ENDINGS.includes(dataEnding(path))))
    throw new DataError(`${path} ${standIn}`)
  const hex = head.toString('hex')
  const ending = packingOf(path) ?? dataEnding(path)
  for (const [signature, named, what] of SIGNATURES)
    if (hex.startsWith(signature) && (named === undefined || named !== ending))
      throw new DataError(`${path} ${what}`)
}

/** The first bytes of a file. */
export async function readHead(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    const head = Buffer.alloc(HEAD_BYTES)
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0)
    return head.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** A file's bytes in pieces, decompressed. @throws {DataError} naming a file that is damaged, truncated or too large */
export async function* unpackedBytes(path: string): AsyncGenerator<Uint8Array> {
  const packing = packingOf(path)
  if (packing === '.gz') return yield* gunzipped(path)
  if (packing === undefined) return yield* createReadStream(path)
  if ((await stat(path)).size > ZSTD_BYTES_MAX)
    throw new DataError(`${path} is larger than 512 MiB, compressed with zstd: decompress it (zstd -d)`)
  yield* unpackZstd(await loadZstd(), await readFile(path), path)
}

async function* gunzipped(path: string): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path)
  const unpacked = createGunzip()
  file.once('error', (error) => unpacked.destroy(error))
  try {
    yield* file.pipe(unpacked)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'Z_BUF_ERROR') throw new DataError(`${path} is truncated: download it again`)
    if (message === 'incorrect header check') throw new DataError(`${path} is not a gzip file`)
    if (code?.startsWith('Z_')) throw new DataError(`${path} is damaged (${message}): download it again`)
    throw error
  } finally {
    file.destroy()
  }
}
