import type { LoraAdapter, LoraPair } from '../../adapter/index.ts'
import { pairFromBlocks } from '../../adapter/index.ts'
import { hex } from '../../protocol/index.ts'
import type { BlockStore } from '../store/block-store.ts'
import type { ShardSource } from './jobs.ts'

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
 * The adapter that a manifest announces, from the blocks on disk.
 *
 * @throws {MissingBlocksError} when blocks are not there, or are damaged
 * @throws {AdapterError} when the blocks hold no finite adapter of the announced shape
 */
export async function readAdapter(store: BlockStore, { shards, dtype }: ShardSource): Promise<LoraAdapter> {
  const pairs: LoraPair[] = []
  const missing: string[] = []
  for (const shard of shards) {
    const blocks: Uint8Array[] = []
    for (const digest of shard.blocks.map(hex)) {
      const block = await store.get(digest)
      if (block === undefined) missing.push(digest)
      else blocks.push(block)
    }
    if (missing.length === 0) pairs.push(pairFromBlocks({ ...shard, dtype }, blocks))
  }
  if (missing.length > 0) throw new MissingBlocksError(missing)
  return { pairs }
}
