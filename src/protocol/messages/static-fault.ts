import { MEMBERS_MAX } from '../charter/limits.ts'
import { compareBytes } from '../encoding/bytes.ts'
import type { Verify } from '../encoding/signature.ts'
import type { Proposal } from './bodies.ts'
import { contradictionFault, EVIDENCE_MAX, offenderOf } from './evidence.ts'
import { type Envelope, isKind } from './message.ts'

/** Maximum number of accepted attempts at one attestation (rule 8 *Attest*). */
export const ATTEMPTS_MAX = 16

/** Membership votes that a member may cast in one round (rule 11 *Membership*). */
export const MEMBERSHIP_VOTE_SLOTS = 8

/**
 * The fault of a message regardless of its round's members, or undefined. A peer that is one round behind checks at
 * least this before forwarding.
 */
export function staticFault(envelope: Envelope): string | undefined {
  const { kind } = envelope
  const { slot } = envelope.header
  if (kind === 'attestation' && slot >= ATTEMPTS_MAX)
    return `is attempt ${slot + 1}, at most ${ATTEMPTS_MAX} are allowed`
  if ((kind === 'manifest' || kind === 'ready') && slot !== 0)
    return `has slot ${slot}, but its kind has only slot 0`
  if ((kind === 'endorsement' || kind === 'evidence') && slot >= MEMBERS_MAX)
    return `its slot ${slot} is not the index of a member`
  if (isKind(envelope, 'membership-vote')) {
    if (slot >= MEMBERSHIP_VOTE_SLOTS)
      return `is membership vote ${slot + 1}, at most ${MEMBERSHIP_VOTE_SLOTS} are allowed in a round`
    if ((envelope.body.admit === null) !== (envelope.body.request.type === 'leave'))
      return 'has a signature for the request that it must not have, or lacks one'
  }
  return isKind(envelope, 'proposal') ? staticProposalFault(envelope.body, slot) : undefined
}

/**
 * What is wrong with a message of the next round, as far as can be known before that round begins: its members, parent
 * and proposers are not known yet.
 */
export function earlyFault(envelope: Envelope, verify: Verify): string | undefined {
  const fault = staticFault(envelope)
  if (fault !== undefined || !isKind(envelope, 'evidence')) return fault
  const unproven = contradictionFault(envelope.body, verify)
  return unproven && `its evidence ${unproven}`
}

function staticProposalFault({ cut, validView, readies }: Proposal, view: number): string | undefined {
  if (validView >= view) return 'claims that its cut was valid in its own view or a later one'
  if (
    !isSorted(
      cut.entries.map(({ author }) => author),
      compareBytes
    )
  )
    return 'its cut is not sorted by author'
  if (cut.evidence.length > EVIDENCE_MAX)
    return `convicts ${cut.evidence.length} members at once, at most ${EVIDENCE_MAX} are allowed`
  if (!isSorted(cut.evidence.map(offenderOf), compareBytes))
    return 'its evidence is not sorted by offender, or accuses a peer twice'
  const changed = cut.membership.map(({ request }) => request.peer)
  if (!isSorted(changed, compareBytes))
    return 'its membership changes are not sorted by peer, or name a peer twice'
  if (validView >= 0)
    return readies.length === 0 ? undefined : 'carries readies, which a repeated cut does not need'
  return isSorted(readies, (left, right) => left.member - right.member)
    ? undefined
    : 'its readies are not sorted'
}

/** Whether values are in strictly ascending order. */
export function isSorted<T>(values: readonly T[], compare: (left: T, right: T) => number): boolean {
  return values.every((value, index) => index === 0 || compare(values[index - 1]!, value) < 0)
}
