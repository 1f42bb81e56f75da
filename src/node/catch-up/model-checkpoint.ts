import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { PeerId } from '@libp2p/interface'
import { z } from 'zod'
import { byteString, decodeCanonical } from '../../protocol/encoding/canonical-cbor.ts'
import { encodeCanonical, equalBytes, hex, MalformedError } from '../../protocol/index.ts'
import { type Home, roundFiles } from '../home/home.ts'
import {
  ANSWER_BYTES_PER_SECOND,
  isMalformed,
  type NetworkHost,
  type RequestLimits,
  registerRequestHandler,
  request,
  UploadLimit
} from '../network/index.ts'
import { type Log, syncFolder } from '../storage/index.ts'
import { isMissing, messageOf, PeerError } from '../storage/peer-error.ts'

/** Protocol by which a member that is far behind gets the merged modules, in place of every round's shards. */
export const CHECKPOINT_PROTOCOL = '/loam/checkpoint/1'

const PIECE_BYTES = 1024 * 1024
const FRAME_BYTES = 256
const TIMEOUT_MS = 20_000
const LIMITS = {
  maxRequestBytes: FRAME_BYTES,
  maxResponseBytes: PIECE_BYTES + FRAME_BYTES,
  timeoutMs: TIMEOUT_MS,
  concurrency: 2,
  rate: { burst: 64, perSecond: 32 }
} satisfies RequestLimits

const requestSchema = z.strictObject({
  version: z.literal(1),
  charter: byteString(32),
  round: z.number().int().positive(),
  offset: z.number().int().min(0)
})
const answerSchema = z.strictObject({
  version: z.literal(1),
  /** Length of the whole file; 0 where the answerer does not have it. */
  total: z.number().int().min(0),
  bytes: byteString().refine((bytes) => bytes.length <= PIECE_BYTES)
})

/**
 * Serves the merged modules of sealed rounds, a mebibyte at a time.
 *
 * @param limits other limits than usual, for tests
 */
export async function serveCheckpoints(
  host: NetworkHost,
  home: Home,
  charter: Uint8Array,
  log: Log,
  limits: Partial<RequestLimits> = {}
): Promise<void> {
  const answer = async (bytes: Uint8Array) => {
    const asked = decodeCanonical(bytes, requestSchema, FRAME_BYTES)
    if (!equalBytes(asked.charter, charter)) throw new MalformedError('asks for another consortium')
    return encodeCanonical({
      version: 1,
      ...(await readPiece(roundFiles(home, asked.round).model, asked.offset))
    })
  }
  await registerRequestHandler(host, CHECKPOINT_PROTOCOL, answer, { ...LIMITS, ...limits }, log)
}

async function readPiece(path: string, offset: number): Promise<{ total: number; bytes: Uint8Array }> {
  try {
    const file = await open(path, 'r')
    try {
      const { size } = await file.stat()
      const piece = new Uint8Array(Math.max(0, Math.min(PIECE_BYTES, size - offset)))
      const { bytesRead } = await file.read(piece, 0, piece.length, offset)
      return { total: size, bytes: piece.subarray(0, bytesRead) }
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isMissing(error)) return { total: 0, bytes: new Uint8Array() }
    throw error
  }
}

/** What a checkpoint is fetched with. */
export interface CheckpointClient {
  readonly host: NetworkHost
  readonly charterId: Uint8Array
  readonly log: Log
  /** Fastest that one member is asked; `ANSWER_BYTES_PER_SECOND` where it is not given. */
  readonly bytesPerSecond?: number
}

/**
 * Rule 16 *Catch-up*: gets the merged modules at `path` (a round's model file) from one connected member after the
 * other, until one brings the sealed digest. What a liar sends is found out at its end, or as soon as it is longer than
 * `bytesMax`, and another is asked; nothing of it stays.
 *
 * @param digest the sealed model digest
 * @param bytesMax longest file that the charter's modules can make
 * @throws {PeerError} when nobody who is connected has it
 */
export async function fetchCheckpoint(
  client: CheckpointClient,
  path: string,
  digest: Uint8Array,
  bytesMax: number,
  signal: AbortSignal
): Promise<void> {
  const round = Number(basename(dirname(path)))
  for (const peer of client.host.peers()) {
    signal.throwIfAborted()
    try {
      if (await fetchFrom(client, peer, round, path, digest, bytesMax, signal)) return
      client.log.debug({ peer: String(peer), round }, 'has no checkpoint')
    } catch (error) {
      if (signal.aborted) throw error
      if (isMalformed(error)) client.host.limits.report(peer, 'false', messageOf(error))
      client.log.warn(
        { peer: String(peer), round, error: messageOf(error) },
        'a checkpoint was not what was sealed, or broke off'
      )
    }
  }
  throw new PeerError(`nobody who is connected has the model of round ${round} with digest ${hex(digest)}`)
}

async function fetchFrom(
  { host, charterId, bytesPerSecond = ANSWER_BYTES_PER_SECOND }: CheckpointClient,
  peer: PeerId,
  round: number,
  path: string,
  digest: Uint8Array,
  bytesMax: number,
  signal: AbortSignal
): Promise<boolean> {
  const partial = `${path}.partial`
  await mkdir(dirname(path), { recursive: true })
  const file = await open(partial, 'w')
  // Faster than the other side lets anybody be answered, the file would break off each time.
  const pace = new UploadLimit(bytesPerSecond)
  try {
    const hash = createHash('sha256')
    for (let offset = 0, total = 1; offset < total; ) {
      const asked = encodeCanonical({ version: 1, charter: charterId, round, offset })
      const options = { timeoutMs: TIMEOUT_MS, maxResponseBytes: LIMITS.maxResponseBytes, signal }
      const answer = await request(host, peer, CHECKPOINT_PROTOCOL, asked, options)
      const piece = decodeCanonical(answer, answerSchema, LIMITS.maxResponseBytes)
      await pace.admit(answer.length)
      signal.throwIfAborted()
      if (offset === 0 && piece.total === 0) return false
      if (piece.total > bytesMax)
        throw new MalformedError(`${piece.total} bytes where at most ${bytesMax} can be`)
      if (piece.bytes.length === 0) throw new MalformedError('an empty piece')
      total = piece.total
      hash.update(piece.bytes)
      await file.write(piece.bytes)
      offset += piece.bytes.length
    }
    if (!equalBytes(hash.digest(), digest)) throw new MalformedError('its digest is not the sealed one')
    await file.sync()
    await rename(partial, path)
    await syncFolder(dirname(path))
    return true
  } finally {
    await file.close()
    await rm(partial, { force: true })
  }
}

/** Length of a model file: the charter's modules in float32, with room for the header. */
export function modelBytesMax(
  modules: readonly { module: string; inFeatures: number; outFeatures: number }[]
): number {
  return modules.reduce(
    (sum, { module, inFeatures, outFeatures }) => sum + 4 * inFeatures * outFeatures + module.length + 256,
    4096
  )
}

/** Gets the model that a round starts from, where this peer skipped building it. */
export async function requireModelFile(
  client: CheckpointClient & {
    readonly rounds: { readonly modelFile: string | undefined }
  },
  {
    modelDigest,
    charter
  }: { modelDigest: Uint8Array; charter: { base: { modules: Parameters<typeof modelBytesMax>[0] } } },
  signal: AbortSignal
): Promise<void> {
  const { modelFile } = client.rounds
  if (modelFile === undefined || existsSync(modelFile)) return
  client.log.info({ model: hex(modelDigest) }, 'the merged modules are fetched as a checkpoint')
  await fetchCheckpoint(client, modelFile, modelDigest, modelBytesMax(charter.base.modules), signal)
  client.log.info({ bytes: (await stat(modelFile)).size }, 'the checkpoint has the sealed digest')
}
