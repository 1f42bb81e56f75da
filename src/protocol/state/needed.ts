import { equalBytes } from '../encoding/bytes.ts'
import type { Kind, Vote } from '../messages/bodies.ts'
import { cutId } from '../messages/identifiers.ts'
import { isKind } from '../messages/judge.ts'
import type { Message } from '../messages/message.ts'
import { requiredManifestId } from '../rules/endorse.ts'
import { tallyOf, votesFor } from './draft.ts'
import type { PeerState } from './state.ts'

/*
 * A faulty member says one thing to some and another to others. Where its one word completed a quorum, whoever heard the
 * other has to get that word too, or the honest members cannot follow each other. A quorum holds at least q − f honest
 * votes, which all the honest hear: a cut with so many votes here, of members not known to contradict themselves, may have
 * a quorum elsewhere. Who is known to is not honest, and not counted. Then at most two cuts of a view are looked for, and
 * two places an author are enough, however many words a liar has.
 */

/** Cuts that may have a quorum of a view's votes elsewhere, whether or not they have one here. */
export function likelyCuts(state: PeerState, kind: 'prevote' | 'precommit', view: number): Uint8Array[] {
  const { quorum, faulty } = state.context
  return tallyOf(state, kind, view, state.equivocators).flatMap(({ cut, votes }) =>
    cut === null || votes < quorum - faulty ? [] : [cut]
  )
}

/** Cuts that may have been agreed on in a view, and whose body no proposal of that view gives here. */
function bodilessCuts(state: PeerState, view: number): Uint8Array[] {
  const likely = [...likelyCuts(state, 'prevote', view), ...likelyCuts(state, 'precommit', view)]
  if (likely.length === 0) return []
  const proposals = [
    ...(state.messages.get(`proposal/${view}`)?.values() ?? [])
  ].flat() as Message<'proposal'>[]
  const held = proposals.map(({ body }) => cutId(state.context, body.cut))
  return likely.filter((cut) => !held.some((id) => equalBytes(id, cut)))
}

/** Whether the round may depend on a message whose author already said other things in its place. */
export function isNeeded(state: PeerState, message: Message): boolean {
  const { slot, author } = message
  if (isKind(message, 'manifest')) {
    const required = requiredManifestId(state, author)
    return required !== undefined && equalBytes(required, message.id)
  }
  if (isKind(message, 'proposal')) {
    const id = cutId(state.context, message.body.cut)
    return bodilessCuts(state, slot).some((cut) => equalBytes(cut, id))
  }
  if (isKind(message, 'prevote') || isKind(message, 'precommit')) {
    const { cut } = message.body
    return cut !== null && likelyCuts(state, message.kind, slot).some((likely) => equalBytes(likely, cut))
  }
  return false
}

/**
 * Authors of whose messages in a kind and slot this peer needs no more: those that it tells others of (rule 14 *Sync*).
 */
export function completeAuthors(state: PeerState, kind: Kind, slot: number): number[] {
  const held = state.messages.get(`${kind}/${slot}`) ?? new Map<number, readonly Message[]>()
  const authors = [...held.keys()]
  // One piece of evidence about an offender is enough.
  if (kind === 'evidence') return state.context.members.map((_, index) => index)
  if (kind === 'proposal') return bodilessCuts(state, slot).length > 0 ? [] : authors
  if (kind !== 'prevote' && kind !== 'precommit') return authors
  const open = likelyCuts(state, kind, slot).filter(
    (cut) => votesFor(state, kind, slot, cut) < state.context.quorum
  )
  const isFor = ({ body }: Message, cut: Uint8Array) => {
    const vote = body as Vote
    return vote.cut !== null && equalBytes(vote.cut, cut)
  }
  return authors.filter((author) =>
    open.every((cut) => held.get(author)?.some((message) => isFor(message, cut)))
  )
}
