import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { decodeUtf8, requireRegularFile } from '../../../formats/index.ts'
import { readCharter } from '../../../node/home/charter-file.ts'
import { type Home, homeAt } from '../../../node/home/home.ts'
import { type Identity, loadIdentity, loadOrCreateIdentity } from '../../../node/home/identity.ts'
import { openRoundStore } from '../../../node/home/round-store.ts'
import {
  decodeRequest,
  drawUpRequest,
  encodeRequest,
  saveRequest,
  standingOf,
  standingSchema
} from '../../../node/membership/request-files.ts'
import { writeFileAtomic } from '../../../node/storage/index.ts'
import { peerIdText } from '../../../node/storage/peer-id-text.ts'
import {
  consortiumCid,
  type RoundContext,
  type SignedCharter,
  type SignedRequest
} from '../../../protocol/index.ts'
import { type OutputOptions, printResult } from '../../terminal/output.ts'
import type { HomeOptions, RequestOptions } from './members.ts'

/** A member's home and the head of its history. */
interface MemberHome {
  readonly home: Home
  readonly charter: SignedCharter
  readonly head: RoundContext
  readonly identity: Identity
}

async function openMemberHome(path: string): Promise<MemberHome> {
  const home = homeAt(path)
  const charter = await readCharter(home.charter)
  const { head } = await openRoundStore(home, charter)
  const identity = await loadIdentity(home.identity)
  if (identity === undefined)
    throw new Error(`no identity found in ${home.folder}: create one with loam identity`)
  return { home, charter, head, identity }
}

/** Prints the members after the last sealed round of a home. */
export async function runList({ home: path, ...output }: HomeOptions): Promise<void> {
  const { head } = await openMemberHome(path)
  const summary = { ...standingOf(head), members: head.members.map(({ peer }) => peerIdText(peer)) }
  printResult(summary, output, () =>
    [
      `round    ${summary.round} is next`,
      `seal     ${summary.seal}`,
      `model    ${summary.model}`,
      ...summary.members.map((member) => `member   ${member}`)
    ].join('\n')
  )
}

/** Draws up and signs a request to join. */
export async function runRequest({
  home: path,
  standing,
  rounds,
  out,
  ...output
}: RequestOptions): Promise<void> {
  if (existsSync(out)) throw new Error(`${out} exists already: choose another name with --out`)
  const home = homeAt(path)
  const { id } = await readCharter(home.charter)
  const known = await readStanding(standing)
  if (known.consortium !== consortiumCid(id))
    throw new Error(`${standing} is from another consortium than the charter in ${home.folder}`)
  const identity = await loadOrCreateIdentity(home.identity)
  const { anchor } = identity.revealChain
  const wanted = { type: 'join', peerId: identity.peerId, anchor } as const
  const signedRequest = drawUpRequest(wanted, known, id, identity.signer, rounds)
  const bytes = new TextEncoder().encode(encodeRequest(signedRequest, id))
  await writeFileAtomic(home.joinRequest, bytes)
  await writeFileAtomic(out, bytes)
  const summary = { path: out, peerId: identity.peerId, expiry: signedRequest.request.expiry }
  printResult(
    summary,
    output,
    () => `request  ${out}\npeer id  ${summary.peerId}\nexpires  after round ${summary.expiry}`
  )
}

/** Supports a candidate's request on behalf of this member. */
export async function runAdmit(file: string, { home: path, ...output }: HomeOptions): Promise<void> {
  const member = await openMemberHome(path)
  if (!existsSync(file)) throw new Error(`request file not found: ${file}`)
  requireRegularFile(file)
  await support(
    member,
    decodeRequest(decodeUtf8(await readFile(file), file), member.charter.id, file),
    output
  )
}

/** Asks to leave with the next sealed round. */
export async function runLeave({ home, ...output }: HomeOptions): Promise<void> {
  const member = await openMemberHome(home)
  const { charter, head, identity } = member
  const wanted = { type: 'leave', peerId: identity.peerId } as const
  await support(member, drawUpRequest(wanted, standingOf(head), charter.id, identity.signer), output)
}

/** Asks for the eviction of a member. */
export async function runEvict(
  peerId: string,
  { home, standing, ...output }: HomeOptions & { readonly standing: string }
): Promise<void> {
  const member = await openMemberHome(home)
  const wanted = { type: 'evict', peerId } as const
  const { charter, identity } = member
  const known = await readStanding(standing)
  await support(member, drawUpRequest(wanted, known, charter.id, identity.signer), output)
}

async function readStanding(path: string) {
  requireRegularFile(path)
  try {
    const { members: _members, ...standing } = JSON.parse(decodeUtf8(await readFile(path), path))
    return standingSchema.parse(standing)
  } catch (error) {
    throw new Error(`${path} is not the output of loam members list --json`, { cause: error })
  }
}

async function support(
  { home, head }: MemberHome,
  signedRequest: SignedRequest,
  output: OutputOptions
): Promise<void> {
  const path = await saveRequest(home, head, signedRequest)
  const { type, peer, expiry } = signedRequest.request
  const summary = { path, type, peerId: peerIdText(peer), expiry }
  printResult(summary, output, () =>
    [
      `${type.padEnd(8)} ${summary.peerId}`,
      `file     ${path}`,
      `expires  after round ${expiry}; a running peer asks for it in every round until then`
    ].join('\n')
  )
}
