import { compareBytes, equalBytes } from '../encoding/bytes.ts'
import type { Verify } from '../encoding/signature.ts'
import { memberIndex, type RoundContext } from '../round/context.ts'
import type { Attestation, Evidence } from './bodies.ts'
import { type Header, payloadOf, type SignedHeader, signedHeaderBytes } from './header.ts'
import type { Message } from './message.ts'

/**
 * Maximum number of offenders convicted in one cut, so that a proposal of the largest consortium fits into its
 * envelope.
 */
export const EVIDENCE_MAX = 8

/** Whether two headers have the same author, kind, round and parent. */
function isSameTurn(first: Header, second: Header): boolean {
  return (
    equalBytes(first.charter, second.charter) &&
    first.kind === second.kind &&
    first.round === second.round &&
    equalBytes(first.parent, second.parent) &&
    equalBytes(first.author, second.author)
  )
}

/** Whether both are attestations that name different cuts, which is never allowed (rule 8 *Attest*). */
function attestsTwoCuts(first: Message, second: Message): boolean {
  const [one, other] = [first.body as Attestation, second.body as Attestation]
  return first.kind === 'attestation' && second.kind === 'attestation' && !equalBytes(one.cut, other.cut)
}

/**
 * Rule 10 *Evidence*: the proof that an author signed two different messages for one kind, round, slot and parent, or
 * attested two cuts; undefined when two messages do not contradict each other.
 */
export function evidenceOf(first: Message, second: Message): Evidence | undefined {
  const twoCuts = attestsTwoCuts(first, second)
  const samePlace = isSameTurn(first.header, second.header) && (first.slot === second.slot || twoCuts)
  if (!samePlace || equalBytes(first.header.payload, second.header.payload)) return undefined
  const [low, high] = [first, second].sort((left, right) =>
    compareBytes(left.header.payload, right.header.payload)
  ) as [Message, Message]
  const attested = first.slot === second.slot ? [] : [low.body as Attestation, high.body as Attestation]
  return { first: signedHeaderOf(low), second: signedHeaderOf(high), attested }
}

function signedHeaderOf({ header, signature }: Message): SignedHeader {
  return { header, signature }
}

/** PeerId of the member that evidence convicts. */
export function offenderOf({ first }: Evidence): Uint8Array {
  return first.header.author
}

/**
 * Whether evidence convicts a member of this round. It rests on two signatures of the offender alone, so a member that
 * signs once per kind and slot can never be convicted. * @returns why it does not convict, or undefined
 */
export function evidenceFault(context: RoundContext, evidence: Evidence, verify: Verify): string | undefined {
  const { header } = evidence.first
  if (!equalBytes(header.charter, context.charterId)) return 'is about another consortium'
  if (header.round > context.round) return 'is about a later round'
  if (memberIndex(context, header.author) < 0) return 'is about a peer that is not a member'
  return contradictionFault(evidence, verify)
}

/** Why evidence proves nothing against its offender, member or not; undefined if it does. */
export function contradictionFault(
  { first, second, attested }: Evidence,
  verify: Verify
): string | undefined {
  const { header } = first
  if (!isSameTurn(header, second.header)) return 'its headers differ in author, kind, round or parent'
  if (compareBytes(header.payload, second.header.payload) >= 0) return 'its headers are equal, or not sorted'
  const isProven =
    header.slot === second.header.slot ? attested.length === 0 : provesTwoCuts(first, second, attested)
  if (!isProven) return 'its headers do not contradict each other'
  const isSigned = [first, second].every((signed) =>
    verify(header.author, signedHeaderBytes(signed.header), signed.signature)
  )
  return isSigned ? undefined : 'a signature is not valid'
}

function provesTwoCuts(first: SignedHeader, second: SignedHeader, attested: readonly Attestation[]): boolean {
  const [low, high] = attested
  return (
    first.header.kind === 'attestation' &&
    low !== undefined &&
    high !== undefined &&
    equalBytes(payloadOf(low), first.header.payload) &&
    equalBytes(payloadOf(high), second.header.payload) &&
    !equalBytes(low.cut, high.cut)
  )
}

/**
 * What is wrong with the evidence in a cut, or undefined: it must be valid and sorted by offender, each at most once.
 */
export function cutEvidenceFault(
  context: RoundContext,
  evidence: readonly Evidence[],
  verify: Verify
): string | undefined {
  if (evidence.length > EVIDENCE_MAX)
    return `convicts ${evidence.length} members at once, at most ${EVIDENCE_MAX} are allowed`
  for (const [index, item] of evidence.entries()) {
    if (index > 0 && compareBytes(offenderOf(evidence[index - 1]!), offenderOf(item)) >= 0)
      return 'its evidence is not sorted by offender, or accuses a peer twice'
    const fault = evidenceFault(context, item, verify)
    if (fault !== undefined) return `its evidence ${fault}`
  }
  return undefined
}
