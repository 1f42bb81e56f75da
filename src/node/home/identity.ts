import { randomBytes } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { z } from 'zod'
import {
  createRevealChain,
  createSigner,
  hashCanonical,
  type RevealChain,
  type Signer
} from '../../protocol/index.ts'
import { createSecret, EMPTY_LOG } from '../storage/index.ts'
import { isMissing, messageOf, PeerError } from '../storage/peer-error.ts'
import { type Home, homeAt } from './home.ts'

const identitySchema = z.strictObject({
  version: z.literal(1),
  /** 32 bytes in base64: everything secret is derived from them. */
  ed25519Seed: z.base64()
})

/** Who a peer is: one Ed25519 key for the network and for the protocol, and the hash chain it reveals from. */
export interface Identity {
  /** PeerId as text, 12D3KooW… */
  readonly peerId: string
  readonly privateKey: PrivateKey
  readonly signer: Signer
  readonly revealChain: RevealChain
}

/** The identity that a seed of 32 bytes makes. */
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
 * Reads the identity at `path`, or makes one there with mode 600. An identity that exists is never overwritten.
 *
 * @throws {PeerError} when the file is damaged, or is gone from a home that a peer has used
 */
export async function loadOrCreateIdentity(path: string): Promise<Identity> {
  const known = await loadIdentity(path)
  if (known !== undefined) return known
  await requireNoHistory(homeAt(dirname(path)))
  // First the log: an identity without one is taken for a peer that lost it (rule 17).
  await createSecret(homeAt(dirname(path)).writeAheadLog, EMPTY_LOG)
  await createSecret(
    path,
    `${JSON.stringify({ version: 1, ed25519Seed: randomBytes(32).toString('base64') })}\n`
  )
  // Read back: should another process have been faster, both have the same.
  return (await loadIdentity(path))!
}

/**
 * A home in which a peer took part in rounds belongs to a key: another one would be a stranger to the consortium.
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
  if (logBytes > EMPTY_LOG.length) signs.push(`${home.writeAheadLog} holds what a key has signed`)
  if (rounds.length > 0) signs.push(`${home.rounds} holds ${rounds.length} round(s)`)
  if (signs.length === 0) return
  throw new PeerError(
    `the key of this home is gone: ${signs.join(', and ')}, but there is no ${home.identity}. Restore that file from a backup. No new key is made here, since it would not be a member; to begin anew with another key, use another home folder`
  )
}

/**
 * Reads the identity at `path`; undefined where there is none.
 *
 * @throws {PeerError} when the file is damaged
 */
export async function loadIdentity(path: string): Promise<Identity | undefined> {
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
      `${path} is not an identity file (${faultOf(error)}): restore it from a backup; nothing else has its key`
    )
  }
}

/** What is wrong with the file, in one line. */
function faultOf(error: unknown): string {
  if (!(error instanceof z.ZodError)) return messageOf(error)
  return error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; ')
}

/** What a founder needs of a member in order to write it into a charter; holds no secret. */
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
