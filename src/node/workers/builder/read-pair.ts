import {
  AdapterError,
  blockLengths,
  type LoraPair,
  pairFromBytes,
  type ShardDtype,
  shardByteLength
} from '../../../adapter/index.ts'
import { hex, type ManifestShard } from '../../../protocol/index.ts'
import type { BlockStore } from '../../storage/block-store.ts'
import { ReusedMemory } from './reused-memory.ts'

/** Digests of the blocks that were not found whole. */
export class MissingBlocksError extends Error {
  override name = 'MissingBlocksError'
  readonly digests: readonly string[]

  constructor(digests: readonly string[]) {
    super(`${digests.length} blocks are missing`)
    this.digests = digests
  }
}

/** Memory for shards that are read one after the other. */
export function shardMemory(): ReusedMemory {
  return new ReusedMemory((byteLength) => Buffer.allocUnsafeSlow(byteLength).buffer)
}

/**
 * One module's pair of a manifest, from the blocks on disk.
 *
 * @param missing takes the digests of blocks that are not there, or are damaged
 * @param memory where the pair lies: it is overwritten by the next that is read into the same
 * @returns undefined once some are, of this module or of one before it
 * @throws {AdapterError} when the blocks hold no finite pair of the announced shape
 */
export async function readPair(
  store: BlockStore,
  shard: ManifestShard,
  dtype: ShardDtype,
  missing: string[],
  memory: ReusedMemory
): Promise<LoraPair | undefined> {
  const description = { ...shard, dtype }
  const lengths = blockLengths(shardByteLength(description))
  if (lengths.length !== shard.blocks.length)
    throw new AdapterError(`${shard.module}: there are ${shard.blocks.length} blocks, not ${lengths.length}`)
  const bytes = memory.take(shardByteLength(description))
  let begin = 0
  for (const [i, digest] of shard.blocks.map(hex).entries()) {
    const place = bytes.subarray(begin, begin + lengths[i]!)
    const block = await store.get(digest, place)
    if (block === undefined) missing.push(digest)
    else if (block.length !== place.length)
      throw new AdapterError(`${shard.module}: a block holds ${block.length} bytes, not ${place.length}`)
    begin += place.length
  }
  return missing.length > 0 ? undefined : pairFromBytes(description, bytes)
}
