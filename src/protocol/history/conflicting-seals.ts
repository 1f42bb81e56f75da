import type { RoundContext } from '../charter/round-context.ts'
import { equalBytes, hex } from '../encoding/bytes.ts'
import { encodeCanonical } from '../encoding/canonical-cbor.ts'
import type { Seal } from '../messages/bodies.ts'

/** Whether two seals of one round seal the same: signatures apart. */
export function isSameSeal(one: Seal, other: Seal): boolean {
  return equalBytes(whatIsSealed(one), whatIsSealed(other))
}

function whatIsSealed({ round, parent, cut, stack, model }: Seal): Uint8Array {
  return encodeCanonical({ round, parent, cut, stack, model })
}

/**
 * Rule 16 *Catch-up*: the members who signed for both of two different seals of one round; more than f, if both are
 * valid, since two quorums share more than f members.
 *
 * @returns their PeerIds, in the order of the members
 */
export function signedTwice({ members }: RoundContext, one: Seal, other: Seal): Uint8Array[] {
  if (isSameSeal(one, other)) return []
  const signers = new Set(other.attestations.map(({ member }) => member))
  return one.attestations
    .filter(({ member }) => signers.has(member))
    .flatMap(({ member }) => members[member]?.peer ?? [])
}

/** What a person is told of two seals of one round. */
export function describeConflict(context: RoundContext, one: Seal, other: Seal, name = hex): string {
  const twice = signedTwice(context, one, other).map(name)
  return (
    `round ${one.round} was sealed twice, with model ${hex(one.model)} and cut ${hex(one.cut)}, and with model ` +
    `${hex(other.model)} and cut ${hex(other.cut)}; signed for both: ${twice.join(', ') || 'nobody'}`
  )
}
