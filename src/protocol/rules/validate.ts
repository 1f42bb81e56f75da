import { blockCount, shardByteLength } from '../../adapter/shard/shard.ts'
import { isNextReveal } from '../charter/reveal-chain.ts'
import { hex } from '../encoding/bytes.ts'
import type { Manifest, ManifestShard } from '../messages/bodies.ts'
import type { RoundContext } from '../round/context.ts'
import type { HeldOutLoss } from '../state/events.ts'
import { samplesFault } from './weights.ts'

/**
 * Rule 2 *Validate*, for the manifest alone: shapes, rank, alpha, samples and sizes within the charter, and the
 * author's next reveal. The content of the blocks is validated when they arrive.
 *
 * @returns why no honest member endorses it, or undefined
 */
export function manifestFault(context: RoundContext, author: number, manifest: Manifest): string | undefined {
  const { charter } = context
  if (manifest.dtype !== charter.dtype) return `dtype ${manifest.dtype} is not the charter's ${charter.dtype}`
  const samples = samplesFault(charter, manifest)
  if (samples !== undefined) return samples
  if (!isNextReveal(context.members[author]!.anchor, manifest.reveal))
    return 'its reveal is not the next of its chain'
  let total = 0
  for (const [index, shard] of manifest.shards.entries()) {
    if (index > 0 && manifest.shards[index - 1]!.module >= shard.module)
      return 'its shards are not sorted by module'
    const fault = shardFault(context, shard)
    if (fault !== undefined) return `${shard.module}: ${fault}`
    total += shardByteLength({ ...shard, dtype: manifest.dtype })
  }
  return total === manifest.totalBytes
    ? undefined
    : `announces ${manifest.totalBytes} bytes, but its ranks give ${total}`
}

function shardFault({ charter }: RoundContext, shard: ManifestShard): string | undefined {
  const known = charter.base.modules.find(({ module }) => module === shard.module)
  if (known === undefined) return 'is not a module of the charter'
  if (known.inFeatures !== shard.inFeatures || known.outFeatures !== shard.outFeatures)
    return `shape ${shard.outFeatures}×${shard.inFeatures} is not the base's ${known.outFeatures}×${known.inFeatures}`
  const { rank, alpha } = charter
  if (shard.rank < rank.min || shard.rank > rank.max)
    return `rank ${shard.rank} is outside ${rank.min}…${rank.max}`
  if (shard.alpha < alpha.min || shard.alpha > alpha.max)
    return `alpha ${shard.alpha} is outside ${alpha.min}…${alpha.max}`
  const expected = blockCount(shardByteLength({ ...shard, dtype: charter.dtype }))
  return shard.blocks.length === expected
    ? undefined
    : `has ${shard.blocks.length} blocks, but its rank gives ${expected}`
}

/**
 * Rule 2 *Validate*, the held-out check: a veto if the charter says so, otherwise advisory. A member that measured
 * nothing refuses nothing.
 *
 * @returns why this member does not endorse the update, or undefined
 */
export function heldOutFault(
  { charter }: Pick<RoundContext, 'charter'>,
  loss: HeldOutLoss | undefined
): string | undefined {
  if (charter.heldOutVeto === false || loss === undefined) return undefined
  const { margin } = charter.heldOutVeto
  const { before, after } = loss
  // Written so that a NaN loss counts as above the margin.
  return after - before <= margin
    ? undefined
    : `it raises the held-out loss from ${before} to ${after}, by more than the charter's ${margin}`
}

/** Digests of all blocks of a manifest, without repetitions, in order. */
export function blocksOf(manifest: Manifest): Uint8Array[] {
  const distinct = new Map(
    manifest.shards.flatMap(({ blocks }) => blocks).map((block) => [hex(block), block])
  )
  return [...distinct.values()]
}
