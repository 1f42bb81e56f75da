import { compareBytes } from '../encoding/bytes.ts'
import { hashCanonical } from '../encoding/canonical-cbor.ts'
import type { RoundContext } from '../round/context.ts'
import type { Cut } from './bodies.ts'

/** Rule 6 *Ids*: cutId = H(round, parentId, sorted entries, membership changes, evidence). */
export function cutId(context: RoundContext, cut: Cut): Uint8Array {
  const known = cutIds.get(cut)
  if (known !== undefined && known.parent === context.parent && known.round === context.round) return known.id
  const { round, parent } = context
  const id = hashCut(context, cut)
  cutIds.set(cut, { round, parent, id })
  return id
}

/** Cached, since the rules need the id of a proposal's cut in every step. */
const cutIds = new WeakMap<Cut, { round: number; parent: Uint8Array; id: Uint8Array }>()

function hashCut(context: RoundContext, cut: Cut): Uint8Array {
  return hashCanonical('cut', {
    round: context.round,
    parent: context.parent,
    entries: cut.entries,
    membership: cut.membership.map(({ request }) => request),
    // Without signatures, since an offender can create many for one header.
    evidence: cut.evidence.map(({ first, second }) => ({ first: first.header, second: second.header }))
  })
}

/** Whether a cut stacks nothing: the model stays the same, the seed changes. */
export function isVoid(cut: Cut): boolean {
  return cut.entries.length === 0
}

/** A cut of the given manifests and changes, in the canonical order. */
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
