import { existsSync } from 'node:fs'
import type { ListedFile } from '../../formats/index.ts'
import { type Charter, hex } from '../../protocol/index.ts'
import type { PeerConfig } from '../config/index.ts'
import { requireCharterBase } from '../consortium/charter-base.ts'
import type { Home } from '../home/home.ts'
import { createHandshakes, createQuietHost, type HostIdentity } from '../membership/quiet-host.ts'
import { listen } from '../network/host/listen.ts'
import {
  BLOCK_SERVER_LIMITS,
  type BootstrapVerdict,
  type FetchProgress,
  startBlockExchange
} from '../network/index.ts'
import { copyAdvice } from '../network/peers/instance.ts'
import { loadAddresses } from '../network/peers/known-addresses.ts'
import { BlockStore } from '../storage/index.ts'
import { messageOf, PeerError } from '../storage/peer-error.ts'
import { type BaseProgress, BaseProgressFile } from './base-progress.ts'
import { fetchBase } from './fetch-base.ts'

/** How to get a base model if the settings name none. */
export interface BaseSearch extends HostIdentity {
  readonly home: Home
  readonly charter: Charter
  readonly blocks: PeerConfig['blocks']
  readonly progress: (progress: BaseProgress) => void
  /** Called for each bootstrap address that does not answer, and again when it does. */
  readonly onVerdict: (verdict: BootstrapVerdict) => void
  readonly signal: AbortSignal
}

/** A folder that holds the charter's base model, and the charter's files in it. */
export interface BaseFolder {
  readonly folder: string
  readonly files: readonly ListedFile[]
}

/** Time between two progress checks, milliseconds. */
const PROGRESS_MS = 500

/**
 * The folder of the charter's base model: the settings' default if it matches the charter, else `HOME/base`, into which
 * it is fetched from members if missing.
 *
 * @param model the settings' folder
 * @throws {PeerError} when `HOME/base` is damaged, or fetching cannot continue
 */
export async function requireBase(search: BaseSearch, model: string): Promise<BaseFolder> {
  const { home, charter } = search
  const fetched = await fetchedBase(home, charter)
  if (fetched !== undefined) return { folder: home.base, files: fetched }
  const own = await charterBaseAt(model, charter)
  if (own !== undefined) return { folder: model, files: own }
  return { folder: home.base, files: await fetchBaseFromMembers(search) }
}

/**
 * The charter's files in `HOME/base`; undefined if it does not exist.
 *
 * @throws {PeerError} when it exists and differs from the charter's
 */
export async function fetchedBase(home: Home, charter: Charter): Promise<ListedFile[] | undefined> {
  if (!existsSync(home.base)) return undefined
  try {
    return await requireCharterBase(home.base, charter)
  } catch (error) {
    throw new PeerError(
      `${messageOf(error)}; rename ${home.base} to ${home.basePartial} to fetch the damaged parts again`
    )
  }
}

/**
 * Fetches the charter's base model into `HOME/base` over a host of its own, which also serves the blocks fetched so far
 * to others. Waits for members until `signal` aborts; the next call resumes.
 *
 * @throws {PeerError} when it cannot listen, or fetching cannot continue
 */
export async function fetchBaseFromMembers(search: BaseSearch): Promise<ListedFile[]> {
  const { home, charter, blocks, log, signal, onVerdict } = search
  log.info({ folder: home.base }, 'fetching the base model from members')
  const host = await createQuietHost(search)
  const copied = new AbortController()
  const handshakes = createHandshakes(host, search, {
    onVerdict,
    onCopy({ peerId, isOwn, isYounger }) {
      if (isOwn && isYounger) copied.abort(new PeerError(copyAdvice(peerId)))
    }
  })
  const noted = new BaseProgressFile(home)
  const total = charter.base.files.reduce((sum, { bytes }) => sum + bytes, 0)
  const first = hex(charter.base.files[0]!.blocks)
  let done = 0
  let looking: NodeJS.Timeout | undefined
  let endExchange = async () => {}
  try {
    host.addAddresses(await loadAddresses(home, log))
    await listen(host, search.network.listen)
    const store = await BlockStore.open(home.basePartial, log)
    const exchange = await startBlockExchange(host, store, log, {
      serving: { ...BLOCK_SERVER_LIMITS, uploadBytesPerSecond: blocks.uploadLimit },
      sharesPartial: blocks.serveBase,
      zstd: blocks.zstd
    })
    endExchange = () => exchange.stop()
    await handshakes.start()
    const tell = () => {
      const providers = exchange.providersOf(first).length
      const progress = { done, total, connected: host.peers().length, providers }
      noted.note(progress)
      search.progress(progress)
    }
    tell()
    looking = setInterval(tell, PROGRESS_MS)
    const onProgress = ({ bytesHeld }: FetchProgress) => {
      done = bytesHeld
    }
    const fetched = await fetchBase(
      exchange,
      home,
      charter.base.files,
      onProgress,
      AbortSignal.any([signal, copied.signal])
    )
    done = total
    tell()
    const received = host.traffic.totals().get('blocks')?.received ?? 0
    log.info({ bytes: total, received }, 'the base model is complete')
    return fetched
  } catch (error) {
    throw copied.signal.aborted ? copied.signal.reason : error
  } finally {
    clearInterval(looking)
    await handshakes.stop()
    await endExchange()
    await host.stop()
    await noted.end()
  }
}

/** The charter's files in a folder that holds its base model; undefined where it does not. */
export async function charterBaseAt(folder: string, charter: Charter): Promise<ListedFile[] | undefined> {
  try {
    return await requireCharterBase(folder, charter)
  } catch (error) {
    if (error instanceof PeerError) return undefined
    throw error
  }
}
