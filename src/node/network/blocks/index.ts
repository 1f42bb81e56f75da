/**
 * Shard blocks between peers: `/loam/blocks/1`.
 *
 * @example
 * ```ts
 * await serveBlocks(host, store, log)
 * const fetcher = new FetchManager(host, store, log)
 * await fetcher.fetchAll(manifestBlocks, () => endorsers(manifestId), { signal })
 * ```
 */

export { type FetchBlocksOptions, type FetchedBlock, fetchBlocks } from './client.ts'
export { BLOCKS_PROTOCOL, DIGESTS_PER_REQUEST_MAX } from './constants.ts'
export {
  type FetchAllOptions,
  type FetchLimits,
  FetchManager,
  type FetchProgress,
  type WantedBlock
} from './fetch-manager.ts'
export { BLOCK_SERVER_LIMITS, type BlockServerLimits, serveBlocks } from './server.ts'
