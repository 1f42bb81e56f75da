import { MEMBERS_MAX, VOTERS_MAX } from '../charter/limits.ts'
import { stackedMax } from '../charter/manifest-size.ts'
import { compareBytes, equalBytes, hex } from '../encoding/bytes.ts'
import { hashCanonical, withDomain } from '../encoding/canonical-cbor.ts'
import type { Signer, Verify } from '../encoding/signature.ts'
import { memberIndex, type RoundContext } from '../round/context.ts'
import type { ChangeRequest, MembershipChange } from './bodies.ts'

/** A request with the candidate's or leaver's signature; null for an eviction. */
export interface SignedRequest {
  readonly request: ChangeRequest
  readonly own: Uint8Array | null
}

/** Rule 11 *Membership*: id of a request, over which all signatures for it are made. */
export function requestId(charterId: Uint8Array, request: ChangeRequest): Uint8Array {
  return hashCanonical('membership', { charter: charterId, request })
}

function signedBytes(id: Uint8Array): Uint8Array {
  return withDomain('admission', id)
}

/** Signs a request, as the candidate, the leaver, or a member that supports it. */
export function signRequest(charterId: Uint8Array, request: ChangeRequest, signer: Signer): Uint8Array {
  return signer.sign(signedBytes(requestId(charterId, request)))
}

/** Whether `signature` is that of `peer` over a request. */
export function isRequestSignedBy(
  context: RoundContext,
  request: ChangeRequest,
  peer: Uint8Array,
  signature: Uint8Array,
  verify: Verify
): boolean {
  return verify(peer, signedBytes(requestId(context.charterId, request)), signature)
}

/**
 * Why a request cannot take effect in this round, regardless of its supporters; undefined if it can.
 *
 * @param own signature of the candidate or the leaver; null for an eviction
 */
export function requestFault(
  context: RoundContext,
  request: ChangeRequest,
  own: Uint8Array | null,
  verify: Verify
): string | undefined {
  const { type, peer, seal, model, expiry, anchor } = request
  if (expiry < context.round) return `expired after round ${expiry}`
  const isRecent = context.recent.some(
    (recent) => equalBytes(recent.seal, seal) && equalBytes(recent.model, model)
  )
  if (!isRecent) return 'does not build on a recent seal of this consortium'
  const id = requestId(context.charterId, request)
  if (context.spent.some((spent) => equalBytes(spent.id, id))) return 'has already taken effect'
  const isMember = memberIndex(context, peer) >= 0
  if (isMember === (type === 'join'))
    return isMember ? 'is from a peer that is already a member' : 'is not about a member'
  if ((anchor === null) === (type === 'join')) return 'has an anchor that it must not have, or lacks one'
  if ((own === null) !== (type === 'evict'))
    return 'has a signature of its subject that it must not have, or lacks one'
  if (own !== null && !isRequestSignedBy(context, request, peer, own, verify))
    return 'its signature is not valid'
  return undefined
}

/** Rule 11 *Membership*: whether a request has enough signatures of members: a quorum; a leave needs none. */
export function isAdmitted({ quorum }: RoundContext, { type }: ChangeRequest, admits: number): boolean {
  return type === 'leave' || admits >= quorum
}

/** Rule 11 *Membership*: how many peers may join in one cut. */
export function joinsMax({ faulty }: RoundContext): number {
  return Math.max(1, faulty)
}

function changeFault(context: RoundContext, change: MembershipChange, verify: Verify): string | undefined {
  const { request, own, admits } = change
  const fault = requestFault(context, request, own, verify)
  if (fault !== undefined) return fault
  if (request.type === 'leave')
    return admits.length === 0 ? undefined : 'has signatures of members, which a leave does not need'
  const isSorted = admits.every(({ member }, index) => index === 0 || admits[index - 1]!.member < member)
  if (!isSorted) return 'its signatures are not sorted by member'
  if (!isAdmitted(context, request, admits.length)) return 'is not signed by a quorum'
  const isSigned = admits.every(({ member, signature }) => {
    const signer = context.members[member]
    return (
      signer !== undefined &&
      context.voters.includes(member) &&
      isRequestSignedBy(context, request, signer.peer, signature, verify)
    )
  })
  return isSigned ? undefined : 'is not signed by members of this round'
}

/** The size to which the consortium may grow, so that rounds stay small enough to be voted on and sealed. */
function membersMax({ charter }: RoundContext): number {
  const voters = charter.committee === null ? VOTERS_MAX : MEMBERS_MAX
  return charter.trainers === 0 ? Math.min(voters, VOTERS_MAX, stackedMax(charter)) : voters
}

/** What is wrong with the membership changes of a cut, or undefined. */
export function cutMembershipFault(
  context: RoundContext,
  changes: readonly MembershipChange[],
  verify: Verify
): string | undefined {
  const isSorted = changes.every(
    ({ request }, index) => index === 0 || compareBytes(changes[index - 1]!.request.peer, request.peer) < 0
  )
  if (!isSorted) return 'its membership changes are not sorted by peer, or name a peer twice'
  const joins = changes.filter(({ request }) => request.type === 'join').length
  if (joins > joinsMax(context))
    return `lets ${joins} peers join at once, more than the allowed ${joinsMax(context)}`
  if (joins > 0 && context.members.length + joins > membersMax(context))
    return `leads to more than ${membersMax(context)} members`
  for (const change of changes) {
    const fault = changeFault(context, change, verify)
    if (fault !== undefined) return `its membership change of ${hex(change.request.peer)} ${fault}`
  }
  return undefined
}
