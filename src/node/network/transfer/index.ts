/**
 * Shard blocks between peers: `/loam/blocks/1` and `/loam/availability/1`.
 *
 * @example
 * ```ts
 * const exchange = await startBlockExchange(host, store, log)
 * exchange.publish(ownDigests)
 * await exchange.fetchAll(manifestBlocks, () => endorsers(manifestId), { signal, author })
 * ```
 */

export type { FetchedBlock } from './answer-reader.ts'
export { AVAILABILITY_PROTOCOL } from './availability.ts'
export { type BlockExchange, type BlockExchangeOptions, startBlockExchange } from './block-exchange.ts'
export { BlockSession } from './block-session.ts'
export { type Compression, loadCompression } from './compression.ts'
export { BLOCKS_PROTOCOL, DIGESTS_PER_REQUEST_MAX } from './constants.ts'
export type { FetchAllOptions, FetchLimits, FetchProgress, WantedBlock } from './fetch-manager.ts'
export { BLOCK_SERVER_LIMITS, type BlockServerLimits, serveBlocks } from './server.ts'
export { UploadLimit } from './upload-limit.ts'
