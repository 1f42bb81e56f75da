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

/** Digests of the missing or damaged blocks. */
export class MissingBlocksError extends Error {
  override name = 'MissingBlocksError'
  readonly digests: readonly string[]

  constructor(digests: readonly string[]) {
    super(`${digests.length} blocks are missing`)
    this.digests = digests
  }
}

/** Memory for shards that are read one at a time. */
export function shardMemory(): ReusedMemory {
  return new ReusedMemory((byteLength) => Buffer.allocUnsafeSlow(byteLength).buffer)
}

/**
 * One module's pair of a manifest, from the blocks on disk.
 *
 * @param missing collects the digests of missing or damaged blocks
 * @param memory destination of the pair, overwritten by the next one
 * @returns undefined if blocks of this module or an earlier one are missing
 * @throws {AdapterError} when the blocks do not contain a finite pair of the announced shape
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
