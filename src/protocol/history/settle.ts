import type { Member } from '../charter/charter.ts'
import { compareBytes, equalBytes } from '../encoding/bytes.ts'
import { hashCanonical } from '../encoding/canonical-cbor.ts'
import type { ChangeRequest, Cut, Seal } from '../messages/bodies.ts'
import { offenderOf } from '../messages/evidence.ts'
import { requestId } from '../messages/membership.ts'
import type { Message } from '../messages/message.ts'
import type { NextRound, RoundContext, SpentRequest } from '../round/context.ts'

/** Number of seals, counted back from a round's parent, on which a request may build. */
export const RECENT_SEALS = 64

/** The parts of a stacked manifest that the next round depends on. */
type StackedManifest = Pick<Message<'manifest'>, 'author' | 'body'>
type Changes = Pick<Cut, 'membership' | 'evidence'>

/**
 * What a sealed cut settles for the next round: its parent (rule 6 *Ids*), its seed (rule 12 *Seed*), and its members, with
 * the hash chain of every stacked author advanced by one reveal.
 *
 * @param manifests the cut's manifests, in the cut's order
 */
export function settle(
  context: RoundContext,
  seal: Pick<Seal, 'cut' | 'stack' | 'model'>,
  manifests: readonly StackedManifest[],
  cut: Changes = { membership: [], evidence: [] }
): NextRound {
  const reveals = manifests.map(({ body }) => body.reveal)
  const seed = hashCanonical('seed', { seed: context.seed, round: context.round + 1, reveals })
  const members = nextMembers(context, cut, manifests)
  const parent = hashCanonical('seal', {
    charter: context.charterId,
    round: context.round,
    parent: context.parent,
    cut: seal.cut,
    stack: seal.stack,
    model: seal.model,
    members,
    seed
  })
  const recent = [...context.recent, { seal: parent, model: seal.model }].slice(-RECENT_SEALS)
  const spent = [...context.spent, ...cut.membership.map(({ request }) => spend(context, request))].filter(
    (one) => recent.some((known) => equalBytes(known.seal, one.seal))
  )
  return { parent, modelDigest: seal.model, seed, members, recent, spent }
}

function spend({ charterId }: RoundContext, request: ChangeRequest): SpentRequest {
  return { id: requestId(charterId, request), seal: request.seal }
}

/**
 * The next round's members: without those convicted by the cut, leaving or evicted; with those joining; and with the
 * chain of every stacked author advanced by one reveal. If nobody would remain, all stay.
 */
export function nextMembers(
  context: RoundContext,
  cut: Changes,
  manifests: readonly StackedManifest[]
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
