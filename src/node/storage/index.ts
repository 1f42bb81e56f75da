/**
 * A peer's home on disk: blocks by digest, a write-ahead log, files that are complete or absent.
 *
 * @example
 * ```ts
 * const blocks = await BlockStore.open(home, log)
 * await blocks.put(digest, bytes) // durable
 * const wal = await openWriteAheadLog(join(home, 'log'))
 * await wal.append(vote) // durable: only now may the vote be sent
 * ```
 */

export type { Log } from '../log/log.ts'
export { syncFolder, writeFileAtomic } from './atomic-file.ts'
export { BlockStore } from './block-store.ts'
export { removeReplaced, requireFreeFolder, requireOtherFolder } from './free-folder.ts'
export { closeSecret } from './secret-file.ts'
export { errorCode, StoreError, storeError } from './store-error.ts'
export {
  type OpenFile,
  openWriteAheadLog
} from './write-ahead-log.ts'
