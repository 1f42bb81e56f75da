import type { NextRound, RoundContext, SpentRequest } from '../charter/round-context.ts'
import { compareBytes, equalBytes } from '../encoding/bytes.ts'
import { hashCanonical } from '../encoding/canonical-cbor.ts'
import type { ChangeRequest, Cut, Manifest, Seal } from './bodies.ts'
import { nextMembers, RECENT_SEALS, requestId } from './membership.ts'
import type { Message } from './message.ts'

/** Rule 6 *Ids*: cutId = H(round, parentId, sorted entries, membership changes, evidence). */
export function cutId(context: RoundContext, cut: Cut): Uint8Array {
  const known = cutIds.get(cut)
  if (known !== undefined && known.parent === context.parent && known.round === context.round) return known.id
  const { round, parent } = context
  const id = hashCut(context, cut)
  cutIds.set(cut, { round, parent, id })
  return id
}

/** Rules look at a proposal's cut again in every step. */
const cutIds = new WeakMap<Cut, { round: number; parent: Uint8Array; id: Uint8Array }>()

function hashCut(context: RoundContext, cut: Cut): Uint8Array {
  return hashCanonical('cut', {
    round: context.round,
    parent: context.parent,
    entries: cut.entries,
    membership: cut.membership.map(({ request }) => request),
    // Without signatures: an offender can make many that fit one header.
    evidence: cut.evidence.map(({ first, second }) => ({ first: first.header, second: second.header }))
  })
}

/** Whether a cut stacks nothing: the model stays, the seed moves on. */
export function isVoid(cut: Cut): boolean {
  return cut.entries.length === 0
}

/** A cut of the given manifests and changes, in the one order it can have. */
export function cutOf(
  context: RoundContext,
  manifests: readonly { author: number; id: Uint8Array }[],
  changes: Partial<Pick<Cut, 'membership' | 'evidence'>> = {}
): Cut {
  const entries = manifests
    .map(({ author, id }) => ({ author: context.members[author]!.peer, manifest: id }))
    .sort((left, right) => compareBytes(left.author, right.author))
  return { entries, membership: [], evidence: [], ...changes }
}

/**
 * What the sealed cut settles for the next round: rule 6 *Ids* for the parent, rule 12 *Seed* for the seed, and every
 * stacked author's hash chain one reveal further.
 *
 * @param manifests the cut's manifests, in the cut's order
 */
export function settle(
  context: RoundContext,
  seal: Pick<Seal, 'cut' | 'stack' | 'model'>,
  manifests: readonly Pick<Message<'manifest'>, 'author' | 'body'>[],
  cut: Pick<Cut, 'membership' | 'evidence'> = { membership: [], evidence: [] }
): NextRound {
  const reveals = manifests.map(({ body }) => (body as Manifest).reveal)
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

/** Whether two optional digests are the same. */
export function sameDigest(left: Uint8Array | null, right: Uint8Array | null): boolean {
  return left === right || (left !== null && right !== null && equalBytes(left, right))
}
