import { blockCount, shardByteLength } from '../../adapter/shard/shard.ts'
import { encodeCanonical } from '../encoding/canonical-cbor.ts'
import type { Kind } from '../messages/header.ts'
import type { Charter } from './charter.ts'

/** Most bytes of one control message: what gossip carries. */
export const MESSAGE_BYTES_MAX = 64 * 1024
/** Most bytes of an envelope by its kind: only manifests and proposals are long. */
export const KIND_BYTES_MAX: Readonly<Record<Kind, number>> = {
  manifest: MESSAGE_BYTES_MAX,
  proposal: MESSAGE_BYTES_MAX,
  endorsement: 1024,
  ready: 2048,
  prevote: 1024,
  precommit: 1024,
  attestation: 1024,
  evidence: 4096,
  'membership-vote': 2048
}
/** Most bytes of one sealed round on the wire. */
export const SEALED_ROUND_BYTES_MAX = 4 * 1024 * 1024
/** Of a sealed round, what seal, cut, evidence and membership changes take at most. */
const SEALED_FRAME_BYTES = 192 * 1024
/** Header, signature and names around a manifest's body. */
const ENVELOPE_BYTES = 512

/** Bytes of the longest manifest that a charter allows: every module, at the largest rank. */
export function manifestBytesMax({ base, rank, dtype }: Pick<Charter, 'base' | 'rank' | 'dtype'>): number {
  const digest = new Uint8Array(32)
  const perBlock = encodeCanonical([digest]).length - 1
  let bytes = ENVELOPE_BYTES
  for (const { module, inFeatures, outFeatures } of base.modules) {
    const shard = { module, rank: rank.max, alpha: 0.5, inFeatures, outFeatures }
    bytes += encodeCanonical({ ...shard, blocks: [] }).length + blocksMax({ ...shard, dtype }) * perBlock + 8
  }
  return Math.min(bytes, MESSAGE_BYTES_MAX)
}

/** Blocks of a shard; of one that no adapter may be as large as, more than any manifest holds. */
function blocksMax(shard: Parameters<typeof shardByteLength>[0]): number {
  try {
    return blockCount(shardByteLength(shard))
  } catch {
    return MESSAGE_BYTES_MAX
  }
}

/** Rule 15 *Bounds*: most manifests that one sealed round of a charter can hold, so that it can always be encoded. */
export function stackedMax(charter: Pick<Charter, 'base' | 'rank' | 'dtype'>): number {
  return Math.floor((SEALED_ROUND_BYTES_MAX - SEALED_FRAME_BYTES) / manifestBytesMax(charter))
}
