import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeCanonical } from '../../protocol/encoding/canonical-cbor.ts'
import { encodeCanonical, equalBytes, MalformedError } from '../../protocol/index.ts'
import { type NetworkHost, registerRequestHandler, type UploadLimit } from '../network/index.ts'
import type { Log } from '../storage/index.ts'
import {
  BASE_PROTOCOL,
  type BaseFileName,
  LIMITS,
  PIECE_BYTES,
  PIECE_BYTES_MIN,
  requestSchema
} from './base-protocol.ts'

/** Answers that wait for their turn on a line with a cap; more would come after their asker's deadline. */
const WAITING_MAX = 4

/** What a served base is limited by. */
export interface ServeBaseOptions {
  /** The cap that the exchange of blocks has too. */
  readonly upload?: UploadLimit | undefined
  readonly uploadBytesPerSecond?: number | undefined
}

/** One part of a stream: a file and where in the stream it begins. */
interface Part {
  readonly path: string
  readonly begin: number
  readonly size: number
}

/**
 * Serves the files of a base model that was checked against the charter: config.json, tokenizer.json, and all
 * `*.safetensors` in name order as one stream, which is what the charter's digests are over.
 */
export async function serveBase(
  host: NetworkHost,
  folder: string,
  charter: Uint8Array,
  log: Log,
  { upload, uploadBytesPerSecond = Number.POSITIVE_INFINITY }: ServeBaseOptions = {}
): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).sort()
  const streams: Record<BaseFileName, readonly Part[]> = {
    config: await partsOf(folder, ['config.json']),
    tokenizer: await partsOf(folder, ['tokenizer.json']),
    weights: await partsOf(folder, names)
  }
  // Half a second of the line, so that those who wait are through before their deadline.
  const pieceBytes = Math.max(PIECE_BYTES_MIN, Math.min(PIECE_BYTES, Math.floor(uploadBytesPerSecond / 2)))
  let waiting = 0
  const answer = async (bytes: Uint8Array) => {
    const asked = decodeCanonical(bytes, requestSchema, LIMITS.maxRequestBytes)
    if (!equalBytes(asked.charter, charter)) throw new MalformedError('asks for another consortium')
    if (waiting >= WAITING_MAX && upload !== undefined) throw new Error('too many wait for the base already')
    waiting++
    try {
      const piece = await readPiece(streams[asked.file], asked.offset, pieceBytes)
      await upload?.admit(piece.bytes.length)
      return encodeCanonical({ version: 1, ...piece })
    } finally {
      waiting--
    }
  }
  await registerRequestHandler(host, BASE_PROTOCOL, answer, LIMITS, log)
}

async function partsOf(folder: string, names: readonly string[]): Promise<Part[]> {
  const parts: Part[] = []
  let begin = 0
  for (const name of names) {
    const path = join(folder, name)
    const { size } = await stat(path)
    parts.push({ path, begin, size })
    begin += size
  }
  return parts
}

async function readPiece(
  parts: readonly Part[],
  offset: number,
  pieceBytes: number
): Promise<{ total: number; bytes: Uint8Array }> {
  const total = parts.reduce((sum, { size }) => sum + size, 0)
  const bytes = new Uint8Array(Math.max(0, Math.min(pieceBytes, total - offset)))
  let done = 0
  for (const { path, begin, size } of parts) {
    const from = offset + done - begin
    if (done === bytes.length || from >= size) continue
    const file = await open(path, 'r')
    try {
      for (const end = Math.min(bytes.length, begin + size - offset); done < end; ) {
        const { bytesRead } = await file.read(bytes, done, end - done, offset + done - begin)
        if (bytesRead === 0) throw new Error(`${path} has become shorter`)
        done += bytesRead
      }
    } finally {
      await file.close()
    }
  }
  return { total, bytes }
}
