import { blockCount, type ShardDtype, shardByteLength } from '../../adapter/shard/shard.ts'
import { encodeCanonical } from '../encoding/canonical-cbor.ts'
import { MESSAGE_BYTES_MAX, SEALED_ROUND_BYTES_MAX } from './limits.ts'

/** Maximum bytes of a sealed round taken by seal, cut, evidence and membership changes. */
const SEALED_FRAME_BYTES = 192 * 1024
/** Bytes of header, signature and field names around a manifest's body. */
const ENVELOPE_BYTES = 512

/** The terms of a charter that determine the size of a manifest. */
export interface ManifestTerms {
  readonly base: {
    readonly modules: readonly {
      readonly module: string
      readonly inFeatures: number
      readonly outFeatures: number
    }[]
  }
  readonly rank: { readonly max: number }
  readonly dtype: ShardDtype
}

/** Size of the longest manifest that a charter allows: every module at the largest rank. */
export function manifestBytesMax({ base, rank, dtype }: ManifestTerms): number {
  const digest = new Uint8Array(32)
  const perBlock = encodeCanonical([digest]).length - 1
  let bytes = ENVELOPE_BYTES
  for (const { module, inFeatures, outFeatures } of base.modules) {
    const shard = { module, rank: rank.max, alpha: 0.5, inFeatures, outFeatures }
    bytes += encodeCanonical({ ...shard, blocks: [] }).length + blocksMax({ ...shard, dtype }) * perBlock + 8
  }
  return Math.min(bytes, MESSAGE_BYTES_MAX)
}

/** Number of blocks of a shard; for a shard larger than an adapter may be, more than fits in a manifest. */
function blocksMax(shard: Parameters<typeof shardByteLength>[0]): number {
  try {
    return blockCount(shardByteLength(shard))
  } catch {
    return MESSAGE_BYTES_MAX
  }
}

/** Rule 15 *Bounds*: maximum number of manifests in a sealed round of a charter, so that it can always be encoded. */
export function stackedMax(terms: ManifestTerms): number {
  return Math.floor((SEALED_ROUND_BYTES_MAX - SEALED_FRAME_BYTES) / manifestBytesMax(terms))
}
