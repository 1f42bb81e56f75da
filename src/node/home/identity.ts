import { randomBytes } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { z } from 'zod'
import { requireRegularFile } from '../../formats/index.ts'
import { createRevealChain, type RevealChain } from '../../protocol/charter/reveal-chain.ts'
import { hashCanonical } from '../../protocol/encoding/canonical-cbor.ts'
import { createSigner, type Signer } from '../../protocol/encoding/signature.ts'
import { isMissing, messageOf, PeerError } from '../storage/peer-error.ts'
import { createSecret } from '../storage/secret-file.ts'
import { EMPTY_LOG } from '../storage/write-ahead-log.ts'
import { type Home, homeAt } from './home.ts'

const identitySchema = z.strictObject({
  version: z.literal(1),
  /** 32 bytes in base64, from which every secret is derived. */
  ed25519Seed: z.base64()
})

/** A peer's identity: one Ed25519 key for the network and the protocol, and its reveal chain. */
export interface Identity {
  /** PeerId as text, 12D3KooW… */
  readonly peerId: string
  readonly privateKey: PrivateKey
  readonly signer: Signer
  readonly revealChain: RevealChain
}

/** Derives the identity from a seed of 32 bytes. */
export async function identityFromSeed(seed: Uint8Array): Promise<Identity> {
  const privateKey = await generateKeyPairFromSeed('Ed25519', seed)
  const secret = hashCanonical('reveal-secret', { seed, generation: 0 })
  return {
    peerId: peerIdFromPrivateKey(privateKey).toString(),
    privateKey,
    signer: createSigner(seed),
    revealChain: createRevealChain(secret)
  }
}

/**
 * Reads the identity at `path`, or creates one there with mode 600. An existing identity is never overwritten.
 *
 * @throws {PeerError} when the file is damaged, or missing from a home that has been used
 */
export async function loadOrCreateIdentity(path: string): Promise<Identity> {
  const known = await loadIdentity(path)
  if (known !== undefined) return known
  await requireNoHistory(homeAt(dirname(path)))
  // The log first: an identity without one counts as a peer that lost its log (rule 17).
  await createSecret(homeAt(dirname(path)).writeAheadLog, EMPTY_LOG)
  await createSecret(
    path,
    `${JSON.stringify({ version: 1, ed25519Seed: randomBytes(32).toString('base64') })}\n`
  )
  // Read back: if another process was faster, both use the same one.
  return (await loadIdentity(path))!
}

/**
 * A home that has taken part in rounds belongs to a key: with a new one the peer would be a stranger to the consortium.
 *
 * @throws {PeerError} when the home has a history, and so has lost its key
 */
export async function requireNoHistory(home: Home): Promise<void> {
  const logBytes = await stat(home.writeAheadLog).then(
    ({ size }) => size,
    () => 0
  )
  const rounds = await readdir(home.rounds).catch(() => [])
  const signs: string[] = []
  if (logBytes > EMPTY_LOG.length) signs.push(`${home.writeAheadLog} holds signatures of that key`)
  if (rounds.length > 0) signs.push(`${home.rounds} holds ${rounds.length} round(s)`)
  if (signs.length === 0) return
  throw new PeerError(
    `the key of this home is missing: ${signs.join(', and ')}, but ${home.identity} does not exist. Restore that file from a backup. No new key is generated here, since it would not be a member; to start over with a new key, use another home folder`
  )
}

/**
 * Reads the identity at `path`; undefined where there is none.
 *
 * @throws {PeerError} when the file is damaged
 */
export async function loadIdentity(path: string): Promise<Identity | undefined> {
  requireRegularFile(path)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    const seed = Buffer.from(identitySchema.parse(JSON.parse(text)).ed25519Seed, 'base64')
    if (seed.length !== 32) throw new Error(`the seed has ${seed.length} bytes`)
    return await identityFromSeed(seed)
  } catch (error) {
    throw new PeerError(
      `${path} is not an identity file (${faultOf(error)}): restore it from a backup; its key exists nowhere else`
    )
  }
}

/** What is wrong with the file, in one line. */
function faultOf(error: unknown): string {
  if (!(error instanceof z.ZodError)) return messageOf(error)
  return error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; ')
}

/** What a founder needs in order to add a member to a charter; contains no secret. */
export const memberCardSchema = z.strictObject({
  peerId: z.string().min(1),
  /** End of the member's reveal chain, hex. */
  anchor: z.string().regex(/^[0-9a-f]{64}$/)
})
export type MemberCard = z.infer<typeof memberCardSchema>

/** The card of an identity. */
export function memberCard({ peerId, revealChain }: Identity): MemberCard {
  return { peerId, anchor: Buffer.from(revealChain.anchor).toString('hex') }
}
