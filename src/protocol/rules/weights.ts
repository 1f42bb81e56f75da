import type { MemberWeights } from '../../adapter/stack/weights.ts'
import type { Charter } from '../charter/charter.ts'
import { hex } from '../encoding/bytes.ts'
import type { Manifest } from '../messages/bodies.ts'
import type { RoundContext } from '../round/context.ts'

/** Rule 9 *Weights*: how the charter weights the shards of a round's members. */
export function memberWeights({
  charter,
  members
}: Pick<RoundContext, 'charter' | 'members'>): MemberWeights {
  const { weights = 'samples' } = charter
  // What a member counts as its samples is what the charter says; the rule takes either count.
  if (weights === 'documents') return 'samples'
  if (!Array.isArray(weights)) return weights
  const fixed = new Map(weights.map(({ peer, weight }) => [hex(peer), weight]))
  return new Map(members.map(({ peer }) => [hex(peer), fixed.get(hex(peer)) ?? 1]))
}

/** Why a manifest may not claim its count of training data; undefined if it may. */
export function samplesFault(
  { sampleCap }: Pick<Charter, 'sampleCap'>,
  { samples }: Pick<Manifest, 'samples'>
): string | undefined {
  return samples > sampleCap
    ? `claims ${samples} samples, above the charter's cap of ${sampleCap}`
    : undefined
}
