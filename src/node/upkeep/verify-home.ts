import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import {
  contextAfter,
  decodeSealedRound,
  describeConflict,
  equalBytes,
  genesisContext,
  hex,
  isSameSeal,
  signedTwice,
  verifyEd25519
} from '../../protocol/index.ts'
import { readCharter } from '../home/charter-file.ts'
import { type Home, roundFiles } from '../home/home.ts'
import type { JudgedRound } from '../home/round-store.ts'
import { loadInvite } from '../membership/invite-files.ts'
import { isMissing, messageOf } from '../storage/peer-error.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import { FileChecks, type FilesChecked } from './verify-files.ts'

/** The first invalid item in a home. */
export interface Wrong {
  /** Null for a missing file, and for the log, which does not belong to a single round. */
  readonly round: number | null
  readonly reason: string
  /** PeerIds that signed two seals of the round. */
  readonly signedTwice: readonly string[]
}

/** A home's history as far as it is valid. */
export interface Verification {
  /** Number of valid sealed rounds, from the charter on. */
  readonly rounds: number
  /** Id of the last of their seals, hex. */
  readonly seal: string
  readonly modelDigest: string
  readonly members: readonly string[]
  /** Number of rounds whose stack and model exist and have the sealed digests. */
  readonly filesChecked: number
  /** Counts of all kinds of files, and the missing ones. */
  readonly files: FilesChecked
  readonly wrong: Wrong | null
}

/** What a history is compared with. */
export interface VerifyOptions {
  /** A seal that the history must contain: the id of the seal of `round`, hex; defaults to the home's own invite. */
  readonly trusted?: { readonly round: number; readonly seal: string }
  /** Another member's home, which must have the same history as far as both go. */
  readonly against?: Home
}

/**
 * Rule 16 *Catch-up*: derives a home's history again from its charter: every certificate of it, judged by the members
 * of its round; the digests of the stacks, models and owed blocks that are kept; the norms; the log of signatures; and
 * whether another home has the same history.
 *
 * @throws {PeerError} when the charter itself is invalid
 */
export async function verifyHome(
  home: Home,
  { trusted: given, against }: VerifyOptions = {}
): Promise<Verification> {
  const charter = await readCharter(home.charter)
  const trusted = given ?? (await trustedByInvite(home))
  const told = against === undefined ? undefined : await readCharter(against.charter)
  let context = genesisContext(charter)
  const last = await lastRound(home)
  const files = new FileChecks(home, last + 1)
  const conclude = (wrong: Omit<Wrong, 'round'> | undefined): Verification => ({
    rounds: context.round - 1,
    seal: hex(context.parent),
    modelDigest: hex(context.modelDigest),
    members: context.members.map(({ peer }) => peerIdText(peer)),
    filesChecked: files.rounds,
    files: files.result(),
    wrong: wrong === undefined ? null : { round: context.round, ...wrong }
  })
  const fault = (reason: string) => conclude({ reason, signedTwice: [] })
  if (told !== undefined && !equalBytes(told.id, charter.id))
    return fault(`${against!.folder} is a home of another consortium`)
  while (context.round <= last) {
    const { sealed } = roundFiles(home, context.round)
    let judged: JudgedRound
    try {
      judged = { context, sealedRound: decodeSealedRound(context, await readFile(sealed), verifyEd25519) }
    } catch (error) {
      if (isMissing(error)) return fault(`${sealed} is missing, but later rounds exist`)
      return fault(`${sealed} is invalid: ${messageOf(error)}`)
    }
    const conflict = against === undefined ? undefined : await conflictWith(judged, against)
    if (conflict !== undefined) return conclude(conflict)
    const damaged = await files.checkRound(judged)
    if (damaged !== undefined) return fault(damaged)
    const next = contextAfter(context, judged.sealedRound)
    if (trusted?.round === context.round && trusted.seal !== hex(next.parent))
      return fault(
        `the seal of round ${trusted.round} is ${hex(next.parent)}, not the trusted ${trusted.seal}`
      )
    context = next
  }
  if (trusted !== undefined && trusted.round >= context.round)
    return fault(`the history ends before the trusted seal of round ${trusted.round}`)
  const ofNoRound = (reason: string): Verification => ({
    ...conclude(undefined),
    wrong: { round: null, reason, signedTwice: [] }
  })
  const damaged = await files.checkRest()
  if (damaged !== undefined) return ofNoRound(damaged)
  const [first, ...others] = files.result().missing
  if (first === undefined) return conclude(undefined)
  return ofNoRound(`${first}${others.length > 0 ? ` and ${others.length} more file(s) are` : ' is'} missing`)
}

/** The seal named in the home's own invite; undefined if the home has not reached that round. */
async function trustedByInvite(home: Home): Promise<VerifyOptions['trusted']> {
  const invite = await loadInvite(home)
  if (invite === undefined || invite.round === 0) return undefined
  return { round: invite.round, seal: hex(invite.seal) }
}

/** The last round with a seal in a home; 0 for none. */
async function lastRound({ rounds }: Home): Promise<number> {
  let names: string[] = []
  try {
    names = await readdir(rounds)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const sealed = names.filter((name) => /^\d+$/.test(name) && existsSync(`${rounds}/${name}/sealed.cbor`))
  return Math.max(0, ...sealed.map(Number))
}

async function conflictWith(
  { context, sealedRound }: JudgedRound,
  other: Home
): Promise<Omit<Wrong, 'round'> | undefined> {
  const { sealed } = roundFiles(other, context.round)
  if (!existsSync(sealed)) return undefined
  try {
    const { seal } = decodeSealedRound(context, await readFile(sealed), verifyEd25519)
    if (isSameSeal(sealedRound.seal, seal)) return undefined
    return {
      reason: describeConflict(context, sealedRound.seal, seal, peerIdText),
      signedTwice: signedTwice(context, sealedRound.seal, seal).map(peerIdText)
    }
  } catch (error) {
    return { reason: `${sealed} is invalid: ${messageOf(error)}`, signedTwice: [] }
  }
}
