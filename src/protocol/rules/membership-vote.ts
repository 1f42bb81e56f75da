import { compareBytes, equalBytes, hex } from '../encoding/bytes.ts'
import type { ChangeRequest, MembershipChange } from '../messages/bodies.ts'
import { PETITION_SLOTS } from '../messages/judge.ts'
import { requestFault, requestId, signRequest } from '../messages/membership.ts'
import type { Message } from '../messages/message.ts'
import { type Draft, keptOf, messagesOf, say } from '../state/draft.ts'
import type { PeerState, Wish } from '../state/state.ts'

/** Most changes of the membership that one proposal carries. */
const CHANGES_MAX = 8

/** Rule 11 *Membership*: notes what this member's operator wants, within the number of petitions that a round takes. */
export function wish(draft: Draft, wanted: Wish): void {
  const id = hex(requestId(draft.context.charterId, wanted.request))
  if (draft.wishes.has(id)) return
  const reason =
    draft.wishes.size < PETITION_SLOTS
      ? requestFault(draft.context, wanted.request, wanted.own, draft.verify)
      : `is one too many: ${PETITION_SLOTS} are open`
  if (reason === undefined) draft.wishes = new Map(draft.wishes).set(id, wanted)
  else draft.effects.push({ type: 'wishRefused', wish: wanted, reason })
}

/** Wishes that can still come true in a round. */
export function openWishes({ context, wishes, verify }: Draft): Map<string, Wish> {
  return new Map(
    [...wishes].filter(([, { request, own }]) => requestFault(context, request, own, verify) === undefined)
  )
}

/** Signs for every wish once a round, until a cut has fulfilled it or it is too old. */
export function petition(draft: Draft): void {
  if (draft.self < 0 || draft.committed !== undefined || draft.wishes.size === 0) return
  const { charterId } = draft.context
  const slots = Array.from(
    { length: PETITION_SLOTS },
    (_, slot) => keptOf(draft, 'petition', slot, draft.self)[0]
  )
  const said = slots.map((message) => message && hex(requestId(charterId, message.body.request)))
  for (const [id, { request, own }] of draft.wishes) {
    const free = said.indexOf(undefined)
    if (said.includes(id) || free < 0 || !mayAsk(draft, request)) continue
    said[free] = id
    const admit = request.type === 'leave' ? null : signRequest(charterId, request, draft.signer)
    say(draft, 'petition', free, { request, own, admit })
  }
}

/** Voters ask for anything; others only to leave. */
function mayAsk({ context, self }: PeerState, { type, peer }: ChangeRequest): boolean {
  return context.voters.includes(self) || (type === 'leave' && equalBytes(peer, context.members[self]!.peer))
}

/** What a proposer may put into a fresh cut: the requests that enough members signed for in this round. */
export function changesForCut(state: PeerState): MembershipChange[] {
  const { context } = state
  const found = new Map<string, { change: MembershipChange; admits: Map<number, Uint8Array> }>()
  for (const { author, body } of allPetitions(state)) {
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
    .filter(
      ({ change, admits }) => change.request.type === 'leave' || context.rules.isAdmitted(admits.size, quorum)
    )
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

function allPetitions(state: PeerState): Message<'petition'>[] {
  return Array.from({ length: PETITION_SLOTS }, (_, slot) => messagesOf(state, 'petition', slot)).flat()
}

/** One change a peer, and no more joins than a cut may hold. */
function withinLimits({ context }: PeerState, changes: readonly MembershipChange[]): MembershipChange[] {
  const chosen: MembershipChange[] = []
  let joins = 0
  for (const change of changes) {
    if (chosen.some(({ request }) => equalBytes(request.peer, change.request.peer))) continue
    const isJoin = change.request.type === 'join'
    if (isJoin && joins >= context.rules.joinsAtMost(context.faulty)) continue
    if (isJoin) joins++
    chosen.push(change)
  }
  return chosen.slice(0, CHANGES_MAX)
}
