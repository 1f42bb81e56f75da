import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { requireRegularFile } from '../../formats/index.ts'
import {
  decodeInvite,
  equalBytes,
  genesisContext,
  hex,
  INVITE_BYTES_MAX,
  type Invite,
  memberIndex,
  type RoundContext,
  verifyEd25519
} from '../../protocol/index.ts'
import { addressFault } from '../config/transports.ts'
import { readCharter } from '../home/charter-file.ts'
import type { Home } from '../home/home.ts'
import { readSealedRounds } from '../home/round-store.ts'
import { loadAddresses, loadOwnAddresses } from '../network/peers/known-addresses.ts'
import { writeFileAtomic } from '../storage/index.ts'
import { isMissing, messageOf, PeerError } from '../storage/peer-error.ts'
import { peerIdText } from '../storage/peer-id-text.ts'

/** Prefix of an invite's text form. */
const TOKEN_PREFIX = 'loam-invite-'
/** Maximum number of addresses in an invite that the inviter did not give. */
const ADDRESSES_TOLD = 16
const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

/** An invite as one line of text that can be sent in a message. */
export function inviteToken(bytes: Uint8Array): string {
  return `${TOKEN_PREFIX}${Buffer.from(bytes).toString('base64url')}`
}

/**
 * The bytes of an invite, given as its text or as the path of a file with its bytes or text.
 *
 * @throws {PeerError} where it is neither
 */
export async function readInvite(given: string): Promise<Uint8Array> {
  if (given.startsWith(TOKEN_PREFIX)) return tokenBytes(given)
  let bytes: Uint8Array
  try {
    requireRegularFile(given)
    bytes = await readFile(given)
  } catch (error) {
    if (!isMissing(error)) throw new PeerError(`the invite ${given} cannot be read: ${messageOf(error)}`)
    throw new PeerError(
      `no invite found at ${given.slice(0, 80)}: give the file that loam invite wrote, or its text (${TOKEN_PREFIX}...)`
    )
  }
  const text = Buffer.from(bytes.subarray(0, TOKEN_PREFIX.length)).toString('latin1')
  return text === TOKEN_PREFIX ? tokenBytes(Buffer.from(bytes).toString('latin1')) : bytes
}

function tokenBytes(text: string): Uint8Array {
  const payload = text.slice(TOKEN_PREFIX.length).replace(/\s/g, '')
  if (payload.length > 2 * INVITE_BYTES_MAX || !/^[A-Za-z0-9_-]+$/.test(payload))
    throw new PeerError(
      'the text of the invite is damaged: copy all of it, from the first character to the last'
    )
  return Buffer.from(payload, 'base64url')
}

/**
 * Validates an invite.
 *
 * @param now milliseconds since 1970; omitted for an invite that was valid when a home started from it
 * @throws {PeerError} that says what to ask the inviter for
 */
export function judgeInvite(bytes: Uint8Array, now?: number): Invite {
  let invite: Invite
  try {
    invite = decodeInvite(bytes, verifyEd25519)
  } catch (error) {
    throw new PeerError(`this is not a valid invite (${messageOf(error)}): ask the member to send it again`)
  }
  if (now !== undefined && invite.expires * 1000 < now)
    throw new PeerError(
      `the invite expired on ${new Date(invite.expires * 1000).toISOString()}: ask ${peerIdText(invite.inviter)} for a new one`
    )
  if (now !== undefined) requireDialled(invite)
  return invite
}

/** @throws {PeerError} when an invite has addresses, and none that Loam could dial */
function requireDialled({ bootstrap, inviter }: Invite): void {
  const faults = bootstrap.map((address) => addressFault(address, 'dial'))
  const [first] = faults
  if (first === undefined || faults.includes(undefined)) return
  throw new PeerError(
    `no address in the invite can be dialled (${first}): ask ${peerIdText(inviter)} for an invite with another --address`
  )
}

/** The invite that a home was created from; undefined if it has none. */
export async function loadInvite(home: Home): Promise<Invite | undefined> {
  if (!existsSync(home.invite)) return undefined
  try {
    return judgeInvite(await readFile(home.invite))
  } catch (error) {
    throw new PeerError(`${home.invite}: ${messageOf(error)}`)
  }
}

/**
 * Writes an invite and its charter to a home.
 *
 * @throws {PeerError} when the home belongs to another consortium, or has another seal for the invite's round
 */
export async function adoptInvite(home: Home, bytes: Uint8Array, invite: Invite): Promise<void> {
  if (existsSync(home.charter)) {
    const known = await readCharter(home.charter)
    if (!equalBytes(known.id, invite.signedCharter.id))
      throw new PeerError(
        `${home.folder} belongs to another consortium: choose another --home for this invite`
      )
  } else await writeFileAtomic(home.charter, invite.charter)
  await requireTrustedSeal(home, invite)
  await writeFileAtomic(home.invite, bytes)
}

/**
 * The addresses in an invite: those given, or those of this peer's last run and of other members that it knows.
 * Loopback addresses are included only if there are no others.
 *
 * @throws {PeerError} when there is none, or one lacks a PeerId
 */
export async function inviteAddresses(
  home: Home,
  peerId: string,
  given: readonly string[] | undefined
): Promise<string[]> {
  if (given !== undefined) {
    for (const address of given) {
      if (peerOf(address) === undefined) throw new PeerError(noPeerId(address))
      const fault = addressFault(address, 'dial')
      if (fault !== undefined) throw new PeerError(fault)
    }
    return [...given]
  }
  const own = (await loadOwnAddresses(home)).map((address) =>
    peerOf(address) === undefined ? `${address}/p2p/${peerId}` : address
  )
  const all = [...new Set([...own, ...(await loadAddresses(home, SILENT))])].filter(
    (address) => peerOf(address) !== undefined
  )
  const far = all.filter((address) => !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address))
  const found = (far.length > 0 ? far : all).slice(0, ADDRESSES_TOLD)
  if (found.length === 0)
    throw new PeerError(
      `no address of this peer is known in ${home.folder}: start it once, or pass --address`
    )
  return found
}

/** The PeerId at the end of an address. */
function peerOf(address: string): string | undefined {
  try {
    return multiaddr(address)
      .getComponents()
      .findLast(({ name }) => name === 'p2p')?.value
  } catch {
    return undefined
  }
}

function noPeerId(address: string): string {
  return `${JSON.stringify(address)} is not an address that ends in /p2p/PEERID`
}

/** PeerIds of an invite's addresses, which may be dialled before this peer knows the members. */
export function invitedPeers({ bootstrap, inviter }: Invite): Set<string> {
  return new Set([peerIdText(inviter), ...bootstrap.flatMap((address) => peerOf(address) ?? [])])
}

/**
 * Rule 16 *Catch-up*: a history without the invite's seal is refused, whatever signatures it has: the keys of former
 * members can forge one.
 *
 * @throws {PeerError} when the home's own history has another seal for that round
 */
export async function requireTrustedSeal(home: Home, invite: Invite): Promise<void> {
  const rounds = await readSealedRounds(home, invite.signedCharter)
  const after = rounds.find(({ context }) => context.round === invite.round + 1)?.context
  const seal = invite.round === 0 ? genesisContext(invite.signedCharter).parent : after?.parent
  if (seal === undefined || equalBytes(seal, invite.seal)) return
  throw new PeerError(
    `the invite's seal of round ${invite.round} is ${hex(invite.seal)}, but the history in ${home.folder} has ${hex(seal)}: one of the two is forged. Ask other members for theirs (loam members list)`
  )
}

/** Why an invite's signer was not entitled to sign it, given the round after the invite's seal. */
export function inviterFault(invite: Invite, context: RoundContext): string | undefined {
  if (memberIndex(context, invite.inviter) >= 0) return undefined
  return `the invite is signed by ${peerIdText(invite.inviter)}, who was not a member after round ${invite.round}: ask a member for another`
}

/** Whether a home has yet to reach the invite's seal, and must not trust any other history. */
export function isBeforeInvite(invite: Invite | undefined, { round }: RoundContext): invite is Invite {
  return invite !== undefined && round <= invite.round
}
