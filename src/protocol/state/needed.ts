import { equalBytes, sameDigest } from '../encoding/bytes.ts'
import { cutId } from '../messages/cut.ts'
import type { Kind } from '../messages/header.ts'
import { isKind } from '../messages/judge.ts'
import type { Message } from '../messages/message.ts'
import { messagesOf, slotOf } from './slots.ts'
import type { PeerState } from './state.ts'
import { tallyOf, type VoteKind, votesFor } from './tally.ts'

/*
 * A faulty member may send different messages to different members. If one of them completed a quorum, those that heard
 * the other need it too, or the honest members cannot follow each other. A quorum contains at least q − f honest votes,
 * which all honest members hear. So a cut with this number of votes here, from members not known to contradict
 * themselves, may have a quorum elsewhere; members known to contradict themselves are not honest and are not counted.
 * Hence at most two cuts of a view are in question, and two places per author suffice, however many messages a faulty
 * member sends.
 */

/** Id of the author's manifest that the round may depend on: the one in the committed cut, or the certified one. */
export function requiredManifestId(state: PeerState, author: number): Uint8Array | undefined {
  const peer = state.context.members[author]!.peer
  const entry = state.committed?.cut.entries.find((candidate) => equalBytes(candidate.author, peer))
  return entry?.manifest ?? state.certificates.get(author)?.manifest
}

/** Cuts that may have a quorum of a view's votes at some member, here or elsewhere. */
export function likelyCuts(state: PeerState, kind: VoteKind, view: number): Uint8Array[] {
  const { quorum, faulty } = state.context
  return tallyOf(state, kind, view, state.equivocators).flatMap(({ cut, votes }) =>
    cut === null || votes < quorum - faulty ? [] : [cut]
  )
}

/** Cuts that may have been agreed on in a view but are in no known proposal of that view. */
function bodilessCuts(state: PeerState, view: number): Uint8Array[] {
  const likely = [...likelyCuts(state, 'prevote', view), ...likelyCuts(state, 'precommit', view)]
  if (likely.length === 0) return []
  const held = messagesOf(state, 'proposal', view).map(({ body }) => cutId(state.context, body.cut))
  return likely.filter((cut) => !held.some((id) => equalBytes(id, cut)))
}

/** Whether the round may depend on a message whose author sent others of the same kind and slot before. */
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

/** Authors from which this peer needs no further messages of a kind and slot (rule 14 *Sync*). */
export function completeAuthors(state: PeerState, kind: Kind, slot: number): number[] {
  const authors = [...(slotOf(state, kind, slot)?.byAuthor.keys() ?? [])]
  // One piece of evidence about an offender is enough.
  if (kind === 'evidence') return state.context.members.map((_, index) => index)
  if (kind === 'proposal') return bodilessCuts(state, slot).length > 0 ? [] : authors
  if (kind !== 'prevote' && kind !== 'precommit') return authors
  const open = likelyCuts(state, kind, slot).filter(
    (cut) => votesFor(state, kind, slot, cut) < state.context.quorum
  )
  const votes = slotOf(state, kind, slot)?.byAuthor
  return authors.filter((author) =>
    open.every((cut) => votes?.get(author)?.some(({ body }) => sameDigest(body.cut, cut)))
  )
}
