import type { PeerId } from '@libp2p/interface'
import type { BlockStore, Log } from '../../storage/index.ts'
import type { NetworkHost } from '../core/network-host.ts'
import { Availability } from './availability.ts'
import { loadCompression } from './compression.ts'
import { type FetchAllOptions, type FetchLimits, FetchManager, type WantedBlock } from './fetch-manager.ts'
import { OwnBlocks } from './own-blocks.ts'
import { BLOCK_SERVER_LIMITS, type BlockServerLimits, serveBlocks } from './server.ts'

/** Limits of both directions. */
export interface BlockExchangeOptions {
  readonly serving?: BlockServerLimits
  readonly fetching?: Partial<FetchLimits>
  /** Told of each block that went out whole, and its bytes. */
  readonly onSent?: (digest: string, bytes: number) => void
  /** Whether blocks are asked for in zstd, and given so to whoever asks for that. */
  readonly zstd?: boolean
}

/** A peer's part in the exchange of shard blocks. */
export interface BlockExchange {
  /** See {@link FetchManager.fetchAll}. */
  fetchAll(
    wanted: readonly WantedBlock[],
    providers: () => readonly PeerId[],
    options: FetchAllOptions
  ): Promise<void>
  /** Tells the others of blocks that this peer has made and stored; each is then sent as seldom as can be. */
  publish(digests: readonly string[]): void
  stop(): Promise<void>
}

/** Serves what the store has, tells the neighbours of it, and fetches what is asked for. The host must be started. */
export async function startBlockExchange(
  host: NetworkHost,
  store: BlockStore,
  log: Log,
  { serving = BLOCK_SERVER_LIMITS, fetching = {}, onSent, zstd = false }: BlockExchangeOptions = {}
): Promise<BlockExchange> {
  const compression = zstd ? await loadCompression() : undefined
  const own = new OwnBlocks()
  const availability = new Availability(host, log)
  const fetcher = new FetchManager(host, store, availability, log, { ...fetching, compression })
  const refusal = (digest: string, asker: string) => {
    const providers = availability.providers(digest)
    return own.refusal(digest, asker, providers.size - (providers.has(asker) ? 1 : 0), performance.now())
  }
  const stopServing = await serveBlocks(host, store, log, { limits: serving, refusal, onSent, compression })
  await availability.start(await store.list())
  return {
    fetchAll: (wanted, providers, options) => fetcher.fetchAll(wanted, providers, options),
    publish(digests) {
      own.publish(digests)
      availability.announce(digests)
    },
    async stop() {
      await stopServing()
      await availability.stop()
    }
  }
}
