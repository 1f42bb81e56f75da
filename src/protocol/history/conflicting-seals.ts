import { equalBytes, hex } from '../encoding/bytes.ts'
import { encodeCanonical } from '../encoding/canonical-cbor.ts'
import type { Seal } from '../messages/bodies.ts'
import type { RoundContext } from '../round/context.ts'

/** Whether two seals of one round are equal except for their signatures. */
export function isSameSeal(one: Seal, other: Seal): boolean {
  return equalBytes(whatIsSealed(one), whatIsSealed(other))
}

function whatIsSealed({ round, parent, cut, stack, model }: Seal): Uint8Array {
  return encodeCanonical({ round, parent, cut, stack, model })
}

/**
 * Rule 16 *Catch-up*: the members that signed both of two different seals of one round. If both seals are valid, these
 * are more than f members, since any two quorums share more than f.
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

/** Describes two conflicting seals of one round. */
export function describeConflict(context: RoundContext, one: Seal, other: Seal, name = hex): string {
  const twice = signedTwice(context, one, other).map(name)
  return (
    `round ${one.round} was sealed twice, with model ${hex(one.model)} and cut ${hex(one.cut)}, and with model ` +
    `${hex(other.model)} and cut ${hex(other.cut)}; both were signed by: ${twice.join(', ') || 'nobody'}`
  )
}
