import { bitsOf, equalBytes } from '../encoding/bytes.ts'
import type { Verify } from '../encoding/signature.ts'
import { memberIndex, type RoundContext } from '../round/context.ts'
import { proposerOf } from '../round/proposer.ts'
import type { Body, CarriedReady, Certificate, Seal } from './bodies.ts'
import { cutEvidenceFault, evidenceFault, offenderOf } from './evidence.ts'
import type { Kind } from './header.ts'
import { messageId, signedHeaderBytes } from './header.ts'
import { cutMembershipFault, isRequestSignedBy, requestFault } from './membership.ts'
import { type Envelope, headerFor, isKind, type Message } from './message.ts'
import { ATTEMPTS_MAX, earlyFault, isSorted, staticFault } from './static-fault.ts'

export { isKind } from './message.ts'
export { ATTEMPTS_MAX, MEMBERSHIP_VOTE_SLOTS } from './static-fault.ts'

/** Result of the envelope check. Only accepted messages reach the state machine. */
export type Judgement =
  | { readonly verdict: 'accept'; readonly message: Message }
  /** A message of the next round: kept until that round begins. */
  | { readonly verdict: 'early' }
  /**
   * Possibly valid elsewhere but of no use here: another round, another parent, an unknown signer. Its sender is not
   * penalised.
   */
  | { readonly verdict: 'ignore'; readonly reason: string }
  /**
   * Validly signed, but no honest member signs it. This counts against its author, and never against a peer that
   * forwarded it, which may be in another round, where the fault does not show.
   */
  | { readonly verdict: 'fault'; readonly reason: string }
  /** No honest peer sends or forwards this, whatever round it is in. */
  | { readonly verdict: 'reject'; readonly reason: string }

const ignore = (reason: string): Judgement => ({ verdict: 'ignore', reason })
const reject = (reason: string): Judgement => ({ verdict: 'reject', reason })
const blameAuthor = (reason: string): Judgement => ({ verdict: 'fault', reason })

/**
 * The envelope check judges an envelope by the members of its round: whether its author may send this, for which slot,
 * and whether the signature is valid. Every signature is verified here, once, and never again.
 */
export function judge(context: RoundContext, envelope: Envelope, verify: Verify): Judgement {
  const { header } = envelope
  if (!equalBytes(header.charter, context.charterId)) return reject('belongs to another consortium')
  if (header.round < context.round || header.round > context.round + 1)
    return ignore(`belongs to round ${header.round}, this is round ${context.round}`)
  const author = memberIndex(context, header.author)
  if (author < 0) return ignore('its author is not a member of this round')
  if (!verify(header.author, signedHeaderBytes(header), envelope.signature))
    return reject('its signature is not valid')
  if (header.round === context.round + 1) {
    const fault = earlyFault(envelope, verify)
    return fault === undefined ? { verdict: 'early' } : blameAuthor(fault)
  }
  if (!equalBytes(header.parent, context.parent)) return ignore('builds on another parent')
  const message: Message = { ...envelope, id: messageId(header), author, slot: header.slot }
  const fault = faultOf(context, message, verify)
  return fault === undefined ? { verdict: 'accept', message } : blameAuthor(fault)
}

/** Kinds that members without a vote may send; among membership votes, only a leave. */
const VOTELESS_KINDS: ReadonlySet<Kind> = new Set(['manifest', 'evidence', 'membership-vote'])

function faultOf(context: RoundContext, message: Message, verify: Verify): string | undefined {
  if (!VOTELESS_KINDS.has(message.kind) && !context.voters.includes(message.author))
    return 'its author does not vote in this round'
  const fault = staticFault(message)
  if (fault !== undefined) return fault
  if (isKind(message, 'proposal')) return proposalFault(context, message, verify)
  if (isKind(message, 'endorsement'))
    return context.trainers.includes(message.slot) ? undefined : 'endorses a member that does not train'
  if (isKind(message, 'evidence')) return evidenceMessageFault(context, message, verify)
  if (isKind(message, 'membership-vote')) return membershipVoteFault(context, message, verify)
  if (isKind(message, 'manifest'))
    return context.trainers.includes(message.author) ? undefined : 'its author does not train in this round'
  if (isKind(message, 'ready'))
    return isTrainersBitmap(context, message.body.certified)
      ? undefined
      : 'its bitmap has the wrong length, or names a member that does not train'
  return undefined
}

function evidenceMessageFault(
  context: RoundContext,
  { body, slot }: Message<'evidence'>,
  verify: Verify
): string | undefined {
  const fault = evidenceFault(context, body, verify)
  if (fault !== undefined) return `its evidence ${fault}`
  return memberIndex(context, offenderOf(body)) === slot
    ? undefined
    : 'its slot is not the index of the offender'
}

function membershipVoteFault(
  context: RoundContext,
  { author, body, header }: Message<'membership-vote'>,
  verify: Verify
): string | undefined {
  const { request, own, admit } = body
  const isOwnLeave = request.type === 'leave' && equalBytes(request.peer, header.author)
  if (!isOwnLeave && !context.voters.includes(author)) return 'its author does not vote in this round'
  const fault = requestFault(context, request, own, verify)
  if (fault !== undefined) return `its request ${fault}`
  return admit === null || isRequestSignedBy(context, request, header.author, admit, verify)
    ? undefined
    : 'its signature for the request is not valid'
}

function isTrainersBitmap({ members, trainers }: RoundContext, bitmap: Uint8Array): boolean {
  return (
    bitmap.length === Math.ceil(members.length / 8) &&
    bitsOf(bitmap).every((index) => trainers.includes(index))
  )
}

function proposalFault(
  context: RoundContext,
  message: Message<'proposal'>,
  verify: Verify
): string | undefined {
  const { body, slot } = message
  if (proposerOf(context, slot) !== message.author) return `its author does not propose in view ${slot}`
  const authors = body.cut.entries.map((entry) => entry.author)
  if (authors.some((author) => !context.trainers.includes(memberIndex(context, author))))
    return 'its cut names a member that does not train'
  const fault =
    cutEvidenceFault(context, body.cut.evidence, verify) ??
    cutMembershipFault(context, body.cut.membership, verify)
  if (fault !== undefined) return fault
  if (body.validView >= 0) return undefined
  if (body.readies.length !== context.quorum)
    return `carries ${body.readies.length} readies, but ${context.quorum} are required`
  return body.readies.every((ready) => isValidReady(context, ready, verify))
    ? undefined
    : 'carries a forged ready'
}

/** Whether member `index` signed this body for this slot of the round. */
export function isSignedBy<K extends Kind>(
  context: RoundContext,
  index: number,
  kind: K,
  slot: number,
  body: Body<K>,
  signature: Uint8Array,
  verify: Verify
): boolean {
  const member = context.members[index]
  return (
    member !== undefined &&
    context.voters.includes(index) &&
    verify(member.peer, signedHeaderBytes(headerFor(context, kind, slot, member.peer, body)), signature)
  )
}

function isValidReady(context: RoundContext, ready: CarriedReady, verify: Verify): boolean {
  if (!isTrainersBitmap(context, ready.certified)) return false
  return isSignedBy(
    context,
    ready.member,
    'ready',
    0,
    { certified: ready.certified },
    ready.signature,
    verify
  )
}

/** Whether a certificate contains endorsements of one manifest by a quorum of this round's members. */
export function isValidCertificate(context: RoundContext, certificate: Certificate, verify: Verify): boolean {
  const { author, manifest, endorsements } = certificate
  return (
    context.trainers.includes(author) &&
    endorsements.length >= context.quorum &&
    isSorted(endorsements, (left, right) => left.member - right.member) &&
    endorsements.every(({ member, signature }) =>
      isSignedBy(context, member, 'endorsement', author, { manifest }, signature, verify)
    )
  )
}

/** Whether a seal contains equal attestations by a quorum of this round's members. */
export function isValidSeal(context: RoundContext, seal: Seal, verify: Verify): boolean {
  const { cut, stack, model, attestations } = seal
  return (
    seal.round === context.round &&
    equalBytes(seal.parent, context.parent) &&
    attestations.length >= context.quorum &&
    isSorted(attestations, (left, right) => left.member - right.member) &&
    attestations.every(
      ({ member, attempt, signature }) =>
        attempt < ATTEMPTS_MAX &&
        isSignedBy(context, member, 'attestation', attempt, { cut, stack, model }, signature, verify)
    )
  )
}
