import type { PeerId } from '@libp2p/interface'
import type { ListedFile } from '../../../formats/index.ts'
import type { BlockStore, Log } from '../../storage/index.ts'
import type { NetworkHost } from '../core/network-host.ts'
import { Availability } from './availability.ts'
import { loadCompression } from './compression.ts'
import { type FetchFilesOptions, fetchFiles, type WantedFile } from './fetch-files.ts'
import { type FetchAllOptions, type FetchLimits, FetchManager, type WantedBlock } from './fetch-manager.ts'
import { FileBlocks, wholeFileMark } from './file-blocks.ts'
import { OwnBlocks } from './own-blocks.ts'
import type { PartialFiles } from './partial-files.ts'
import { BLOCK_SERVER_LIMITS, type BlockServerLimits, serveBlocks } from './server.ts'

/** Limits in both directions. */
export interface BlockExchangeOptions {
  readonly serving?: BlockServerLimits
  readonly fetching?: Partial<FetchLimits>
  /** Called for each block that was sent completely, with its bytes. */
  readonly onSent?: (digest: string, bytes: number) => void
  /** Whether to request blocks in zstd, and send them so on request. */
  readonly zstd?: boolean
  /** Whether to serve a file's blocks before the file is complete; default true. */
  readonly sharesPartial?: boolean
}

/** A peer's part in the exchange of blocks. */
export interface BlockExchange {
  /** See {@link FetchManager.fetchAll}. */
  fetchAll(
    wanted: readonly WantedBlock[],
    providers: () => readonly PeerId[],
    options: FetchAllOptions
  ): Promise<void>
  /** Announces blocks that this peer has created and stored; each is then sent as few times as possible. */
  publish(digests: readonly string[]): void
  /** Serves a complete file's blocks from the file, and announces that all of it is available. */
  serveFile(file: ListedFile): void
  /** See {@link fetchFiles}. */
  fetchFiles(wanted: readonly WantedFile[], options: FetchFilesOptions): Promise<ListedFile[]>
  /** Connected peers that announce a complete file. @param digest of its block list, hex */
  providersOf(digest: string): PeerId[]
  stop(): Promise<void>
}

/** Serves and announces the store's blocks, and fetches blocks on demand. The host must be started. */
export async function startBlockExchange(
  host: NetworkHost,
  store: BlockStore,
  log: Log,
  {
    serving = BLOCK_SERVER_LIMITS,
    fetching = {},
    onSent,
    zstd = false,
    sharesPartial = true
  }: BlockExchangeOptions = {}
): Promise<BlockExchange> {
  const compression = zstd ? await loadCompression() : undefined
  const own = new OwnBlocks()
  const files = new FileBlocks(log)
  const partials = sharesPartial ? new Set<PartialFiles>() : undefined
  const availability = new Availability(host, log, () => files.marks())
  const fetcher = new FetchManager(host, store, availability, log, { ...fetching, compression })
  const refusal = (digest: string, asker: string) => {
    const providers = availability.providers(digest)
    return own.refusal(digest, asker, providers.size - (providers.has(asker) ? 1 : 0), performance.now())
  }
  const getToServe = async (digest: string) => {
    for (const source of [files, ...(partials ?? [])]) {
      const block = await source.getToServe(digest)
      if (block !== undefined) return block
    }
    return store.getToServe(digest)
  }
  const limits = { limits: serving, refusal, onSent, compression }
  const stopServing = await serveBlocks(host, { getToServe }, log, limits)
  await availability.start(await store.list())
  const exchange: BlockExchange = {
    fetchAll: (wanted, providers, options) => fetcher.fetchAll(wanted, providers, options),
    publish(digests) {
      own.publish(digests)
      availability.announce(digests)
    },
    serveFile(file) {
      availability.announce([wholeFileMark(files.add(file))])
    },
    fetchFiles: (wanted, options) =>
      fetchFiles(
        { exchange, store, log, partials, announce: (held) => availability.announce(held) },
        wanted,
        options
      ),
    providersOf(digest) {
      const providers = availability.providers(wholeFileMark(digest))
      return host.peers().filter((peerId) => providers.has(peerId.toString()))
    },
    async stop() {
      await stopServing()
      await availability.stop()
    }
  }
  return exchange
}
