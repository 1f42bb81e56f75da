import { memberIndex, proposerOf, type RoundContext } from '../charter/round-context.ts'
import { bitsOf, compareBytes, equalBytes } from '../encoding/bytes.ts'
import type { Verify } from '../encoding/signature.ts'
import type { Body, CarriedReady, Certificate, Kind, Seal } from './bodies.ts'
import { cutEvidenceFault, evidenceFault, offenderOf } from './evidence.ts'
import { cutMembershipFault, isRequestSignedBy, requestFault } from './membership.ts'
import { type Envelope, headerFor, type Message, messageId, signedHeaderBytes } from './message.ts'

/** Most attempts at one attestation that are listened to (rule 8 *Attest*). */
export const ATTEMPTS_MAX = 16

/** Membership votes that a member may cast in one round (rule 11 *Membership*). */
export const MEMBERSHIP_VOTE_SLOTS = 8

/** What the edge makes of an envelope. Only `accept` reaches the state machine. */
export type Judgement =
  | { readonly verdict: 'accept'; readonly message: Message }
  /** Of the round after this one: kept unread until that round begins. */
  | { readonly verdict: 'early' }
  /** True for somebody, of no use here: another round, another parent, an unknown signer. Nobody is punished. */
  | { readonly verdict: 'ignore'; readonly reason: string }
  /** No honest peer sends or forwards this. */
  | { readonly verdict: 'reject'; readonly reason: string }

const ignore = (reason: string): Judgement => ({ verdict: 'ignore', reason })
const reject = (reason: string): Judgement => ({ verdict: 'reject', reason })

/**
 * Judges an envelope by the members of its own round: who may say this, for which slot, and whether the signature holds.
 * Every signature is verified here, once, and nowhere after.
 */
export function judge(context: RoundContext, envelope: Envelope, verify: Verify): Judgement {
  const { header } = envelope
  if (!equalBytes(header.charter, context.charterId)) return reject('is of another consortium')
  if (header.round < context.round || header.round > context.round + 1)
    return ignore(`is of round ${header.round}, this is round ${context.round}`)
  const author = memberIndex(context, header.author)
  if (author < 0) return ignore('its author is no member of this round')
  if (!verify(header.author, signedHeaderBytes(header), envelope.signature))
    return reject('its signature is not valid')
  if (header.round === context.round + 1) return { verdict: 'early' }
  if (!equalBytes(header.parent, context.parent)) return ignore('builds on another parent')
  const message: Message = { ...envelope, id: messageId(header), author, slot: header.slot }
  const fault = faultOf(context, message, verify)
  return fault === undefined ? { verdict: 'accept', message } : reject(fault)
}

/** Narrows a message to its kind. */
export function isKind<K extends Kind>(message: Message, kind: K): message is Message<K> {
  return message.kind === kind
}

/** Kinds that members without a vote may send; of membership votes only one to leave. */
const VOTELESS_KINDS: ReadonlySet<Kind> = new Set(['manifest', 'evidence', 'membership-vote'])

function faultOf(context: RoundContext, message: Message, verify: Verify): string | undefined {
  if (!VOTELESS_KINDS.has(message.kind) && !context.voters.includes(message.author))
    return 'its author does not vote in this round'
  if (isKind(message, 'proposal')) return proposalFault(context, message, verify)
  if (isKind(message, 'endorsement'))
    return context.trainers.includes(message.slot) ? undefined : 'endorses somebody who does not train'
  if (isKind(message, 'evidence')) return evidenceMessageFault(context, message, verify)
  if (isKind(message, 'membership-vote')) return membershipVoteFault(context, message, verify)
  if (isKind(message, 'attestation'))
    return message.slot < ATTEMPTS_MAX ? undefined : 'is one attempt too many'
  if (isKind(message, 'manifest') || isKind(message, 'ready')) {
    if (message.slot !== 0) return 'has a slot where there is just one'
    if (isKind(message, 'manifest'))
      return context.trainers.includes(message.author) ? undefined : 'its author does not train in this round'
    return isTrainersBitmap(context, message.body.certified)
      ? undefined
      : 'its bitmap is of another length, or names somebody who does not train'
  }
  return undefined
}

function evidenceMessageFault(
  context: RoundContext,
  { body, slot }: Message<'evidence'>,
  verify: Verify
): string | undefined {
  const fault = evidenceFault(context, body, verify)
  if (fault !== undefined) return `its evidence ${fault}`
  return memberIndex(context, offenderOf(body)) === slot ? undefined : 'its slot is not that of the offender'
}

function membershipVoteFault(
  context: RoundContext,
  { author, body, header, slot }: Message<'membership-vote'>,
  verify: Verify
): string | undefined {
  const { request, own, admit } = body
  const isOwnLeave = request.type === 'leave' && equalBytes(request.peer, header.author)
  if (!isOwnLeave && !context.voters.includes(author)) return 'its author does not vote in this round'
  if (slot >= MEMBERSHIP_VOTE_SLOTS) return 'is one membership vote too many'
  const fault = requestFault(context, request, own, verify)
  if (fault !== undefined) return `its request ${fault}`
  if ((admit === null) !== (request.type === 'leave')) return 'has a signature where none belongs, or none'
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
  if (body.validView >= slot) return 'is valid only in a later view than its own'
  const authors = body.cut.entries.map((entry) => entry.author)
  if (!isSorted(authors, compareBytes)) return 'its cut is not sorted by author'
  if (authors.some((author) => !context.trainers.includes(memberIndex(context, author))))
    return 'its cut names somebody who does not train'
  const fault =
    cutEvidenceFault(context, body.cut.evidence, verify) ??
    cutMembershipFault(context, body.cut.membership, verify)
  if (fault !== undefined) return fault
  if (body.validView >= 0)
    return body.readies.length === 0 ? undefined : 'carries readies with a repeated cut'
  if (body.readies.length !== context.quorum)
    return `carries ${body.readies.length} readies, not ${context.quorum}`
  if (!isSorted(body.readies, (left, right) => left.member - right.member))
    return 'its readies are not sorted'
  return body.readies.every((ready) => isValidReady(context, ready, verify))
    ? undefined
    : 'carries a forged ready'
}

function isSorted<T>(values: readonly T[], compare: (left: T, right: T) => number): boolean {
  return values.every((value, index) => index === 0 || compare(values[index - 1]!, value) < 0)
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

/** Whether a certificate is a quorum of this round's members' endorsements of one manifest. */
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

/** Whether a seal of this round is a quorum of this round's members' equal attestations. */
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
