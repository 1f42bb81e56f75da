import { compareBytes, equalBytes, hex } from '../encoding/bytes.ts'
import type { ChangeRequest, MembershipChange } from '../messages/bodies.ts'
import { MEMBERSHIP_VOTE_SLOTS } from '../messages/judge.ts'
import {
  isAdmitted,
  joinsMax,
  requestFault,
  requestId,
  type SignedRequest,
  signRequest
} from '../messages/membership.ts'
import type { Message } from '../messages/message.ts'
import type { Draft } from '../state/draft.ts'
import { say } from '../state/say.ts'
import { keptOf, messagesOf } from '../state/slots.ts'
import type { PeerState } from '../state/state.ts'

/** Maximum number of membership changes in one proposal. */
const CHANGES_MAX = 8

/**
 * Rule 11 *Membership*: accepts a request of this member's operator, up to the number of membership votes in a round.
 */
export function noteRequest(draft: Draft, wanted: SignedRequest): void {
  const id = hex(requestId(draft.context.charterId, wanted.request))
  if (draft.requests.has(id)) return
  const reason =
    draft.requests.size < MEMBERSHIP_VOTE_SLOTS
      ? requestFault(draft.context, wanted.request, wanted.own, draft.verify)
      : `${MEMBERSHIP_VOTE_SLOTS} requests are open already`
  if (reason === undefined) draft.requests = new Map(draft.requests).set(id, wanted)
  else draft.effects.push({ type: 'requestRefused', signedRequest: wanted, reason })
}

/** The requests that can still take effect. */
export function openRequests({ context, requests, verify }: Draft): Map<string, SignedRequest> {
  return new Map(
    [...requests].filter(([, { request, own }]) => requestFault(context, request, own, verify) === undefined)
  )
}

/** Votes for every request, once a round, until a cut has applied it or it has expired. */
export function voteOnMembership(draft: Draft): void {
  if (draft.self < 0 || draft.committed !== undefined || draft.requests.size === 0) return
  const { charterId } = draft.context
  const slots = Array.from(
    { length: MEMBERSHIP_VOTE_SLOTS },
    (_, slot) => keptOf(draft, 'membership-vote', slot, draft.self)[0]
  )
  const said = slots.map((message) => message && hex(requestId(charterId, message.body.request)))
  for (const [id, { request, own }] of draft.requests) {
    const free = said.indexOf(undefined)
    if (said.includes(id) || free < 0 || !mayVoteFor(draft, request)) continue
    said[free] = id
    const admit = request.type === 'leave' ? null : signRequest(charterId, request, draft.signer)
    say(draft, 'membership-vote', free, { request, own, admit })
  }
}

/** Voters may vote for any request; other members only for their own leave. */
function mayVoteFor({ context, self }: PeerState, { type, peer }: ChangeRequest): boolean {
  return context.voters.includes(self) || (type === 'leave' && equalBytes(peer, context.members[self]!.peer))
}

/** Membership changes for a fresh cut: the requests that enough members voted for in this round. */
export function changesForCut(state: PeerState): MembershipChange[] {
  const { context } = state
  const found = new Map<string, { change: MembershipChange; admits: Map<number, Uint8Array> }>()
  for (const { author, body } of allMembershipVotes(state)) {
    const id = hex(requestId(context.charterId, body.request))
    const known = found.get(id) ?? {
      change: { request: body.request, own: body.own, admits: [] },
      admits: new Map<number, Uint8Array>()
    }
    if (body.admit !== null) known.admits.set(author, body.admit)
    found.set(id, known)
  }
  const { quorum } = context
  const changes = [...found.values()]
    .filter(({ change, admits }) => isAdmitted(context, change.request, admits.size))
    .map(({ change, admits }) => ({
      ...change,
      admits: [...admits]
        .sort(([left], [right]) => left - right)
        .slice(0, quorum)
        .map(([member, signature]) => ({ member, signature }))
    }))
    .sort((left, right) => compareBytes(left.request.peer, right.request.peer))
  return withinLimits(state, changes)
}

function allMembershipVotes(state: PeerState): Message<'membership-vote'>[] {
  return Array.from({ length: MEMBERSHIP_VOTE_SLOTS }, (_, slot) =>
    messagesOf(state, 'membership-vote', slot)
  ).flat()
}

/** One change per peer, and no more joins than a cut may contain. */
function withinLimits({ context }: PeerState, changes: readonly MembershipChange[]): MembershipChange[] {
  const chosen: MembershipChange[] = []
  let joins = 0
  for (const change of changes) {
    if (chosen.some(({ request }) => equalBytes(request.peer, change.request.peer))) continue
    const isJoin = change.request.type === 'join'
    if (isJoin && joins >= joinsMax(context)) continue
    if (isJoin) joins++
    chosen.push(change)
  }
  return chosen.slice(0, CHANGES_MAX)
}
