import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import {
  baseDigest,
  consortiumCid,
  equalBytes,
  hex,
  type Invite,
  memberIndex,
  type SignedRequest
} from '../../protocol/index.ts'
import { readCharter } from '../home/charter-file.ts'
import { createHomeFolders, type Home } from '../home/home.ts'
import { type Identity, loadOrCreateIdentity } from '../home/identity.ts'
import { openRoundStore } from '../home/round-store.ts'
import { writeFileAtomic } from '../storage/index.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import { adoptInvite, judgeInvite, readInvite } from './invite-files.ts'
import { decodeRequest, drawUpRequest, encodeRequest } from './request-files.ts'

/** Progress of a candidate. */
export interface JoinState {
  readonly home: string
  readonly peerId: string
  readonly consortium: string
  readonly name: string
  /** Not yet admitted as far as this home knows; running, but behind the invite's seal; admitted. */
  readonly stage: 'requested' | 'following' | 'member'
  /** Number of rounds that this home has followed. */
  readonly sealed: number
  /** The request file, and the last round in which it may take effect. */
  readonly request: string
  readonly expiry: number
  /** Members at this home's head, and how many of them have to admit. */
  readonly members: number
  readonly quorum: number
  /** SHA-256 of the base model's weights, hex. */
  readonly base: string
  readonly invite: {
    readonly inviter: string
    readonly round: number
    readonly seal: string
    readonly expires: string
  }
}

/**
 * Creates a home from an invite, with an identity and a request to join, or reports the progress of an earlier call.
 * Nothing is overwritten.
 *
 * @param given path of an invite, or its text
 * @param now milliseconds since 1970
 * @throws {PeerError} when the invite is invalid or does not fit the home
 */
export async function joinConsortium(
  home: Home,
  given: string,
  now: number,
  rounds?: number
): Promise<JoinState> {
  const bytes = await readInvite(given)
  const isKnown = existsSync(home.invite) && equalBytes(await readFile(home.invite), bytes)
  const invite = judgeInvite(bytes, isKnown ? undefined : now)
  await createHomeFolders(home)
  await adoptInvite(home, bytes, invite)
  const identity = await loadOrCreateIdentity(home.identity)
  const charter = await readCharter(home.charter)
  const { head } = await openRoundStore(home, charter)
  const isMember = memberIndex(head, identity.signer.peer) >= 0 && head.round > invite.round
  const request = await requestOf(home, invite, identity, isMember, rounds)
  const stage = isMember ? 'member' : head.round > 1 && head.round <= invite.round ? 'following' : 'requested'
  return {
    home: home.folder,
    peerId: identity.peerId,
    consortium: consortiumCid(charter.id),
    name: charter.charter.name,
    stage,
    sealed: head.round - 1,
    request: home.joinRequest,
    expiry: request.request.expiry,
    members: head.members.length,
    quorum: head.quorum,
    base: hex(baseDigest(charter.charter.base.files)),
    invite: {
      inviter: peerIdText(invite.inviter),
      round: invite.round,
      seal: hex(invite.seal),
      expires: new Date(invite.expires * 1000).toISOString()
    }
  }
}

/** The existing request, if it builds on the invite's seal; else a new one. */
async function requestOf(
  home: Home,
  { signedCharter: { id }, round, seal, model }: Invite,
  { peerId, revealChain, signer }: Identity,
  isMember: boolean,
  rounds: number | undefined
): Promise<SignedRequest> {
  if (existsSync(home.joinRequest)) {
    const known = decodeRequest(await readFile(home.joinRequest, 'utf8'), id, home.joinRequest)
    if (isMember || equalBytes(known.request.seal, seal)) return known
  }
  const standing = { consortium: consortiumCid(id), round: round + 1, seal: hex(seal), model: hex(model) }
  const wanted = { type: 'join', peerId, anchor: revealChain.anchor } as const
  const signedRequest = drawUpRequest(wanted, standing, id, signer, rounds)
  await writeFileAtomic(home.joinRequest, new TextEncoder().encode(encodeRequest(signedRequest, id)))
  return signedRequest
}
