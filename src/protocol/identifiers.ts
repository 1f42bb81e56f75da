import { compareBytes, equalBytes } from './bytes.ts'
import { hashCanonical } from './canonical-cbor.ts'
import type { Member } from './charter.ts'
import type { Cut, Manifest, Seal } from './messages/bodies.ts'
import type { Message } from './messages/message.ts'
import type { NextRound, RoundContext } from './round-context.ts'

/** Rule 6 *Ids*: cutId = H(round, parentId, sorted entries, membership changes, evidence). */
export function cutId(context: RoundContext, cut: Cut): Uint8Array {
  return hashCanonical('cut', {
    round: context.round,
    parent: context.parent,
    entries: cut.entries,
    membership: cut.membership,
    // Without signatures: an offender can make many that fit one header.
    evidence: cut.evidence.map(({ first, second }) => ({ first: first.header, second: second.header }))
  })
}

/** Whether a cut stacks nothing: the model stays, the seed moves on. */
export function isVoid(cut: Cut): boolean {
  return cut.entries.length === 0
}

/** A cut of the given manifests and evidence, in the one order it can have. */
export function cutOf(
  context: RoundContext,
  manifests: readonly { author: number; id: Uint8Array }[],
  evidence: Cut['evidence'] = []
): Cut {
  const entries = manifests
    .map(({ author, id }) => ({ author: context.members[author]!.peer, manifest: id }))
    .sort((left, right) => compareBytes(left.author, right.author))
  return { entries, membership: [], evidence }
}

/**
 * What the sealed cut settles for the next round: rule 6 *Ids* for the parent, rule 12 *Seed* for the seed, and every
 * stacked author's hash chain one reveal further.
 *
 * Who is convicted by the cut is out; a membership that this would leave empty stays as it was (rule 11 *Membership*).
 *
 * @param manifests the cut's manifests, in the cut's order
 */
export function settle(
  context: RoundContext,
  seal: Pick<Seal, 'cut' | 'stack' | 'model'> & Partial<Seal>,
  manifests: readonly Pick<Message<'manifest'>, 'author' | 'body'>[],
  cut: Pick<Cut, 'evidence'> = { evidence: [] }
): NextRound {
  const reveals = manifests.map(({ body }) => (body as Manifest).reveal)
  const seed = hashCanonical('seed', { seed: context.seed, round: context.round + 1, reveals })
  const revealed: Member[] = context.members.map((member, index) => {
    const stacked = manifests.find(({ author }) => author === index)
    return stacked === undefined ? member : { peer: member.peer, anchor: stacked.body.reveal }
  })
  const isConvicted = ({ peer }: Member) =>
    cut.evidence.some(({ first }) => equalBytes(first.header.author, peer))
  const remaining = revealed.filter((member) => !isConvicted(member))
  const members = remaining.length > 0 ? remaining : revealed
  const fields = {
    charter: context.charterId,
    round: context.round,
    parent: context.parent,
    cut: seal.cut,
    stack: seal.stack,
    model: seal.model,
    members,
    seed
  }
  const parent = hashCanonical('seal', context.rules.idFields(fields, seal.attestations))
  return { parent, modelDigest: seal.model, seed, members }
}

/** Whether two optional digests are the same. */
export function sameDigest(left: Uint8Array | null, right: Uint8Array | null): boolean {
  return left === right || (left !== null && right !== null && equalBytes(left, right))
}
