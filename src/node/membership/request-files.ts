import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { peerIdFromString } from '@libp2p/peer-id'
import { z } from 'zod'
import { requireRegularFile } from '../../formats/index.ts'
import {
  type ChangeRequest,
  consortiumCid,
  hex,
  type RoundContext,
  requestFault,
  requestId,
  type SignedRequest,
  type Signer,
  signRequest,
  verifyEd25519
} from '../../protocol/index.ts'
import type { Home } from '../home/home.ts'
import { writeFileAtomic } from '../storage/index.ts'
import { isMissing, PeerError } from '../storage/peer-error.ts'
import { peerIdText } from '../storage/peer-id-text.ts'

/** Default number of rounds after the head in which a request may take effect. */
export const EXPIRY_ROUNDS = 32

const hex32 = z.string().regex(/^[0-9a-f]{64}$/)

/** The head of a consortium: what a candidate has to know in order to ask. */
export const standingSchema = z.strictObject({
  consortium: z.string(),
  /** Next round. */
  round: z.number().int().positive(),
  /** Id of the last seal, and the digest of the model that it left. */
  seal: hex32,
  model: hex32
})
export type Standing = z.infer<typeof standingSchema>

const requestFileSchema = z.strictObject({
  consortium: z.string(),
  type: z.enum(['join', 'leave', 'evict']),
  peerId: z.string(),
  anchor: hex32.nullable(),
  seal: hex32,
  model: hex32,
  expiry: z.number().int().positive(),
  /** Signature of the peer that joins or leaves. */
  signature: z
    .string()
    .regex(/^[0-9a-f]{128}$/)
    .nullable()
})

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

/** The head of a home. */
export function standingOf({ charterId, round, parent, modelDigest }: RoundContext): Standing {
  return { consortium: consortiumCid(charterId), round, seal: hex(parent), model: hex(modelDigest) }
}

/** A request as its maker draws it up, with the maker's signature if one is needed. */
export function drawUpRequest(
  { type, peerId, anchor }: { type: ChangeRequest['type']; peerId: string; anchor?: Uint8Array },
  { round, seal, model }: Standing,
  charterId: Uint8Array,
  signer: Signer,
  expiryRounds = EXPIRY_ROUNDS
): SignedRequest {
  const request: ChangeRequest = {
    type,
    peer: peerBytes(peerId),
    anchor: anchor ?? null,
    seal: bytesOf(seal),
    model: bytesOf(model),
    expiry: round + expiryRounds
  }
  return { request, own: type === 'evict' ? null : signRequest(charterId, request, signer) }
}

function peerBytes(peerId: string): Uint8Array {
  try {
    return peerIdFromString(peerId).toMultihash().bytes
  } catch {
    throw new PeerError(`${JSON.stringify(peerId)} is not a PeerId`)
  }
}

/** The text of a request file. */
export function encodeRequest({ request, own }: SignedRequest, charterId: Uint8Array): string {
  const { type, peer, anchor, seal, model, expiry } = request
  const file: z.infer<typeof requestFileSchema> = {
    consortium: consortiumCid(charterId),
    type,
    peerId: peerIdText(peer),
    anchor: anchor === null ? null : hex(anchor),
    seal: hex(seal),
    model: hex(model),
    expiry,
    signature: own === null ? null : hex(own)
  }
  return `${JSON.stringify(file, undefined, 2)}\n`
}

/** @throws {PeerError} for text that is not a request file of this consortium */
export function decodeRequest(text: string, charterId: Uint8Array, path: string): SignedRequest {
  let file: z.infer<typeof requestFileSchema>
  try {
    file = requestFileSchema.parse(JSON.parse(text))
  } catch {
    throw new PeerError(`${path} is not a membership request: create one with loam members request`)
  }
  if (file.consortium !== consortiumCid(charterId))
    throw new PeerError(`${path} is a request to another consortium, ${file.consortium}`)
  return {
    request: {
      type: file.type,
      peer: peerBytes(file.peerId),
      anchor: file.anchor === null ? null : bytesOf(file.anchor),
      seal: bytesOf(file.seal),
      model: bytesOf(file.model),
      expiry: file.expiry
    },
    own: file.signature === null ? null : bytesOf(file.signature)
  }
}

/**
 * Stores a signed request where the home's daemon finds it.
 *
 * @throws {PeerError} when it could not take effect at this home's head
 */
export async function saveRequest(
  home: Home,
  head: RoundContext,
  signedRequest: SignedRequest
): Promise<string> {
  const fault = requestFault(head, signedRequest.request, signedRequest.own, verifyEd25519)
  if (fault !== undefined)
    throw new PeerError(`the request ${fault}: the next round of this home is ${head.round}`)
  await mkdir(home.membershipRequests, { recursive: true })
  const path = join(home.membershipRequests, `${hex(requestId(head.charterId, signedRequest.request))}.json`)
  await writeFileAtomic(path, new TextEncoder().encode(encodeRequest(signedRequest, head.charterId)))
  return path
}

/** The requests of a home by file name, without the extension; unreadable ones are left out and reported. */
export async function loadRequests(
  home: Home,
  charterId: Uint8Array,
  onFault: (reason: string) => void = () => {}
): Promise<Map<string, SignedRequest>> {
  const requests = new Map<string, SignedRequest>()
  let names: string[] = []
  try {
    names = await readdir(home.membershipRequests)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  for (const name of names.filter((name) => name.endsWith('.json')).sort()) {
    const path = join(home.membershipRequests, name)
    try {
      requireRegularFile(path)
      requests.set(
        name.slice(0, -'.json'.length),
        decodeRequest(await readFile(path, 'utf8'), charterId, path)
      )
    } catch (error) {
      onFault((error as Error).message)
    }
  }
  return requests
}

/** Removes a signed request that has taken effect or no longer can. */
export async function removeRequest(
  home: Home,
  charterId: Uint8Array,
  { request }: SignedRequest
): Promise<void> {
  await rm(join(home.membershipRequests, `${hex(requestId(charterId, request))}.json`), { force: true })
}
