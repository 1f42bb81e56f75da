import { type LoraPair, pairFromBlocks, type ShardDtype } from '../../adapter/index.ts'
import { hex, type ManifestShard } from '../../protocol/index.ts'
import type { BlockStore } from '../store/block-store.ts'

/** Digests of the blocks that were not found whole. */
export class MissingBlocksError extends Error {
  override name = 'MissingBlocksError'
  readonly digests: readonly string[]

  constructor(digests: readonly string[]) {
    super(`${digests.length} blocks are missing`)
    this.digests = digests
  }
}

/**
 * One module's pair of a manifest, from the blocks on disk.
 *
 * @param missing takes the digests of blocks that are not there, or are damaged
 * @returns undefined once some are, of this module or of one before it
 * @throws {AdapterError} when the blocks hold no finite pair of the announced shape
 */
export async function readPair(
  store: BlockStore,
  shard: ManifestShard,
  dtype: ShardDtype,
  missing: string[]
): Promise<LoraPair | undefined> {
  const blocks: Uint8Array[] = []
  for (const digest of shard.blocks.map(hex)) {
    const block = await store.get(digest)
    if (block === undefined) missing.push(digest)
    else if (missing.length === 0) blocks.push(block)
  }
  return missing.length > 0 ? undefined : pairFromBlocks({ ...shard, dtype }, blocks)
}
