import { MEMBERS_MAX, type Member, VOTERS_MAX } from '../charter/charter.ts'
import { stackedMax } from '../charter/limits.ts'
import { memberIndex, type RoundContext } from '../charter/round-context.ts'
import { compareBytes, equalBytes, hex } from '../encoding/bytes.ts'
import { hashCanonical, withDomain } from '../encoding/canonical-cbor.ts'
import type { Signer, Verify } from '../encoding/signature.ts'
import type { ChangeRequest, Cut, MembershipChange } from './bodies.ts'
import { offenderOf } from './evidence.ts'
import type { Message } from './message.ts'

/** Seals, counted back from a round's parent, on which a request may build: it grows old with them. */
export const RECENT_SEALS = 64

/** Rule 11 *Membership*: id of a request; everything that is signed for it is signed over this. */
export function requestId(charterId: Uint8Array, request: ChangeRequest): Uint8Array {
  return hashCanonical('membership', { charter: charterId, request })
}

function signedBytes(id: Uint8Array): Uint8Array {
  return withDomain('admission', id)
}

/** Signs a request: the candidate or leaver for itself, or a member that supports it. */
export function signRequest(charterId: Uint8Array, request: ChangeRequest, signer: Signer): Uint8Array {
  return signer.sign(signedBytes(requestId(charterId, request)))
}

/** Whether `peer` signed a request. */
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
 * Why a request cannot take effect in this round, whoever signed it; undefined where it can.
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
  if (!isRecent) return 'builds on no recent seal of this consortium'
  const id = requestId(context.charterId, request)
  if (context.spent.some((spent) => equalBytes(spent.id, id))) return 'is spent'
  const isMember = memberIndex(context, peer) >= 0
  if (isMember === (type === 'join')) return isMember ? 'is of a member already' : 'is about no member'
  if ((anchor === null) === (type === 'join')) return 'has an anchor where none belongs, or none'
  if ((own === null) !== (type === 'evict')) return 'has a signature of its own where none belongs, or none'
  if (own !== null && !isRequestSignedBy(context, request, peer, own, verify))
    return 'its signature is not valid'
  return undefined
}

/** Rule 11 *Membership*: whether a request has the signatures that it needs: of a quorum, or, to leave, of nobody else. */
export function isAdmitted({ quorum }: RoundContext, { type }: ChangeRequest, admits: number): boolean {
  return type === 'leave' || admits >= quorum
}

/** Rule 11 *Membership*: how many may join in one cut. */
export function joinsMax({ faulty }: RoundContext): number {
  return Math.max(1, faulty)
}

function changeFault(context: RoundContext, change: MembershipChange, verify: Verify): string | undefined {
  const { request, own, admits } = change
  const fault = requestFault(context, request, own, verify)
  if (fault !== undefined) return fault
  if (request.type === 'leave') return admits.length === 0 ? undefined : 'a leave needs nobody'
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

/** Most members that the consortium may grow to: rounds must stay small enough to be sealed and voted on. */
function membersMax({ charter }: RoundContext): number {
  const voters = charter.committee === null ? VOTERS_MAX : MEMBERS_MAX
  return charter.trainers === 0 ? Math.min(voters, VOTERS_MAX, stackedMax(charter)) : voters
}

/** Why the membership changes of a cut are not what they must be; undefined if they are. */
export function cutMembershipFault(
  context: RoundContext,
  changes: readonly MembershipChange[],
  verify: Verify
): string | undefined {
  const isSorted = changes.every(
    ({ request }, index) => index === 0 || compareBytes(changes[index - 1]!.request.peer, request.peer) < 0
  )
  if (!isSorted) return 'its membership changes are not sorted by peer, or change one twice'
  const joins = changes.filter(({ request }) => request.type === 'join').length
  if (joins > joinsMax(context)) return `lets ${joins} join at once`
  if (joins > 0 && context.members.length + joins > membersMax(context))
    return `makes more than ${membersMax(context)} members`
  for (const change of changes) {
    const fault = changeFault(context, change, verify)
    if (fault !== undefined) return `its membership change of ${hex(change.request.peer)} ${fault}`
  }
  return undefined
}

/**
 * The next round's members: without those whom the cut convicts, or who leave or are evicted; with those who join; and
 * every stacked author's chain one reveal further. Never empty: then nobody goes.
 */
export function nextMembers(
  context: RoundContext,
  cut: Pick<Cut, 'membership' | 'evidence'>,
  manifests: readonly Pick<Message<'manifest'>, 'author' | 'body'>[]
): Member[] {
  const revealed: Member[] = context.members.map((member, index) => {
    const stacked = manifests.find(({ author }) => author === index)
    return stacked === undefined ? member : { peer: member.peer, anchor: stacked.body.reveal }
  })
  const gone = [
    ...cut.evidence.map(offenderOf),
    ...cut.membership.filter(({ request }) => request.type !== 'join').map(({ request }) => request.peer)
  ]
  const joined = cut.membership
    .filter(({ request }) => request.type === 'join')
    .map(({ request }) => ({ peer: request.peer, anchor: request.anchor! }))
  const remaining = revealed.filter(({ peer }) => !gone.some((other) => equalBytes(other, peer)))
  const members = remaining.length + joined.length > 0 ? [...remaining, ...joined] : revealed
  return members.sort((left, right) => compareBytes(left.peer, right.peer))
}
