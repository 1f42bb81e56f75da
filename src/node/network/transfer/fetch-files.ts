import { basename, dirname } from 'node:path'
import type { PeerId } from '@libp2p/interface'
import { blockListBytes, type ListedFile } from '../../../formats/index.ts'
import type { BlockStore, Log } from '../../storage/index.ts'
import { PeerError } from '../../storage/peer-error.ts'
import { NetworkError } from '../requests/network-error.ts'
import type { BlockExchange } from './block-exchange.ts'
import type { FetchAllOptions, FetchProgress } from './fetch-manager.ts'
import { PartialFiles, roomOf } from './partial-files.ts'

/** A file identified by its block list. */
export interface WantedFile {
  /** Its destination in an existing folder. */
  readonly path: string
  /** Its exact length. */
  readonly bytes: number
  /** SHA-256 of its block list, hex. */
  readonly digest: string
}

/** Options of a fetch of files. */
export interface FetchFilesOptions {
  readonly signal: AbortSignal
  readonly onProgress?: (progress: FetchProgress) => void
}

/** What is needed to fetch files. */
export interface FetchFilesTools {
  readonly exchange: Pick<BlockExchange, 'fetchAll' | 'providersOf'>
  /** Where block lists are stored during the fetch. */
  readonly store: BlockStore
  readonly log: Log
  /** Files being fetched, whose blocks are served as they arrive; undefined if they are not served. */
  readonly partials: Set<PartialFiles> | undefined
  readonly announce: (digests: readonly string[]) => void
}

/** Disk space that must stay free, bytes. */
const SPARE_BYTES = 16 * 1024 * 1024

/**
 * Fetches files from all peers that have them or are fetching them too: first each file's block list, checked by its
 * digest, then the blocks, each checked against the list and written to its place in `PATH.partial`. Resumes from what
 * an earlier call left there. Waits for peers until `signal` aborts.
 *
 * @returns the files, renamed to their final names
 * @throws {PeerError} when a digest does not belong to the block list of a file of that length, or the disk has too
 * little room
 * @throws {StoreError} when a write fails
 */
export async function fetchFiles(
  tools: FetchFilesTools,
  wanted: readonly WantedFile[],
  { signal, onProgress }: FetchFilesOptions
): Promise<ListedFile[]> {
  const { exchange, log, partials } = tools
  const providers = () => providersOfAll(exchange, wanted)
  const brought = new Map<string, number>()
  const onBlock = (_: number, provider: string) => brought.set(provider, (brought.get(provider) ?? 0) + 1)
  const listed = await fetchLists(tools, wanted, providers, { signal })
  const partial = await PartialFiles.open(listed, signal)
  partials?.add(partial)
  try {
    const { blocks, held } = partial
    const earlierBlocks = held.size
    await requireRoom(partial, wanted)
    if (partials !== undefined) tools.announce([...held])
    const isTold = partials !== undefined
    const options = { signal, into: partial, isTold, onBlock, ...(onProgress && { onProgress }) }
    await fetchBlocks(
      exchange,
      blocks,
      providers,
      options,
      wanted.map(({ path }) => basename(path)).join(', ')
    )
    partials?.delete(partial)
    await partial.finish()
    const fields = { files: wanted.length, blocks: blocks.length, earlierBlocks }
    log.info({ ...fields, brought: Object.fromEntries(brought) }, 'fetched files are complete')
    return listed
  } finally {
    partials?.delete(partial)
    await partial.close()
  }
}

/** Peers that have all files completely. */
function providersOfAll(
  exchange: Pick<BlockExchange, 'providersOf'>,
  [first, ...others]: readonly WantedFile[]
): PeerId[] {
  if (first === undefined) return []
  const rest = others.map(({ digest }) => new Set(exchange.providersOf(digest).map(String)))
  return exchange
    .providersOf(first.digest)
    .filter((peerId) => rest.every((names) => names.has(peerId.toString())))
}

async function fetchLists(
  { exchange, store }: FetchFilesTools,
  wanted: readonly WantedFile[],
  providers: () => readonly PeerId[],
  options: FetchAllOptions
): Promise<ListedFile[]> {
  const blocks = wanted.map(({ digest, bytes }) => ({ digest, bytes: blockListBytes(bytes) }))
  const listed: ListedFile[] = []
  while (listed.length < wanted.length) {
    await fetchBlocks(exchange, blocks, providers, options, 'the block list of a file')
    for (const { path, bytes, digest } of wanted.slice(listed.length)) {
      const list = await store.get(digest)
      // One damaged on disk meanwhile is fetched again.
      if (list === undefined) break
      if (list.length !== blockListBytes(bytes))
        throw new PeerError(`${digest} is not the block list of ${path}, which has ${bytes} bytes`)
      listed.push({ path, bytes, list })
    }
  }
  return listed
}

async function fetchBlocks(
  exchange: Pick<BlockExchange, 'fetchAll'>,
  blocks: Parameters<BlockExchange['fetchAll']>[0],
  providers: () => readonly PeerId[],
  options: FetchAllOptions,
  what: string
): Promise<void> {
  try {
    await exchange.fetchAll(blocks, providers, options)
  } catch (error) {
    if (error instanceof NetworkError && error.code === 'protocol')
      throw new PeerError(`${what}: ${error.message}`, { cause: error })
    throw error
  }
}

async function requireRoom({ blocks, held }: PartialFiles, [first]: readonly WantedFile[]): Promise<void> {
  const left = blocks.reduce((sum, { digest, bytes }) => sum + (held.has(digest) ? 0 : bytes), 0)
  if (first === undefined || left + SPARE_BYTES <= (await roomOf(dirname(first.path)))) return
  throw new PeerError(
    `not enough disk space: ${left} bytes are still to be fetched and ${SPARE_BYTES} must stay free; free some space`
  )
}
