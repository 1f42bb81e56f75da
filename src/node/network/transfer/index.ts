/**
 * Blocks between peers, of shards and of whole files: `/loam/blocks/1` and `/loam/availability/1`.
 *
 * @example
 * ```ts
 * const exchange = await startBlockExchange(host, store, log)
 * exchange.publish(ownDigests)
 * await exchange.fetchAll(manifestBlocks, () => endorsers(manifestId), { signal, author })
 * exchange.serveFile({ path, ...(await readBlockList(path)) })
 * ```
 */

export type { FetchedBlock } from './answer-reader.ts'
export { AVAILABILITY_PROTOCOL } from './availability.ts'
export { type BlockExchange, type BlockExchangeOptions, startBlockExchange } from './block-exchange.ts'
export { BlockSession } from './block-session.ts'
export { type Compression, loadCompression } from './compression.ts'
export { BLOCKS_PROTOCOL, DIGESTS_PER_REQUEST_MAX } from './constants.ts'
export type { FetchFilesOptions, WantedFile } from './fetch-files.ts'
export type { FetchAllOptions, FetchLimits, FetchProgress, WantedBlock } from './fetch-manager.ts'
export { wholeFileMark } from './file-blocks.ts'
export { PARTIAL_ENDING } from './partial-files.ts'
export { BLOCK_SERVER_LIMITS, type BlockServerLimits, serveBlocks } from './server.ts'
export { UploadLimit } from './upload-limit.ts'
