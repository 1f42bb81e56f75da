import { existsSync } from 'node:fs'
import type { Charter } from '../../protocol/index.ts'
import { requireCharterBase } from '../consortium/charter-base.ts'
import type { Home } from '../home/home.ts'
import { createHandshakes, createQuietHost, type HostIdentity } from '../membership/quiet-host.ts'
import { listen } from '../network/host/listen.ts'
import type { BootstrapVerdict } from '../network/index.ts'
import { loadAddresses } from '../network/peers/known-addresses.ts'
import { messageOf, PeerError } from '../storage/peer-error.ts'
import { BaseProgressFile } from './base-progress.ts'
import { fetchBase } from './fetch-base.ts'
import type { BaseProgress } from './fetch-file.ts'

/** How to get a base that nobody has given. */
export interface BaseSearch extends HostIdentity {
  readonly home: Home
  readonly charter: Charter
  readonly progress: (progress: BaseProgress) => void
  /** Told of each address to begin with that does not answer, and when it does. */
  readonly onVerdict: (verdict: BootstrapVerdict) => void
  readonly signal: AbortSignal
}

/**
 * The folder of the charter's base model: the one that the settings have by default, where it fits, else `HOME/base`, into
 * which it is fetched from members where it is not there.
 *
 * @param model the settings' folder
 * @throws {PeerError} when `HOME/base` is there and damaged, or the fetching cannot go on
 */
export async function requireBase(search: BaseSearch, model: string): Promise<string> {
  const { home, charter } = search
  if (await hasFetchedBase(home, charter)) return home.base
  if (await isCharterBase(model, charter)) return model
  await fetchBaseFromMembers(search)
  return home.base
}

/**
 * Whether `HOME/base` is there.
 *
 * @throws {PeerError} when it is there and not the charter's
 */
export async function hasFetchedBase(home: Home, charter: Charter): Promise<boolean> {
  if (!existsSync(home.base)) return false
  try {
    await requireCharterBase(home.base, charter)
    return true
  } catch (error) {
    throw new PeerError(`${messageOf(error)}; remove ${home.base} to have it fetched again`)
  }
}

/**
 * Fetches the charter's base model into `HOME/base`, with a host of its own. Waits for members until `signal` ends it; what
 * is there by then is gone on with by the next call.
 *
 * @throws {PeerError} when it cannot listen, or the fetching cannot go on
 */
export async function fetchBaseFromMembers(search: BaseSearch): Promise<void> {
  const { home, charter, charterId, log, signal, onVerdict } = search
  log.info({ folder: home.base }, 'the base model is fetched from members')
  const host = await createQuietHost(search)
  const handshakes = createHandshakes(host, search, { onVerdict })
  const noted = new BaseProgressFile(home)
  const progress = (far: BaseProgress) => {
    noted.note(far)
    search.progress(far)
  }
  try {
    host.addAddresses(await loadAddresses(home, log))
    await listen(host, search.network.listen)
    await handshakes.start()
    const client = { host, charterId, log, refused: new Set<string>(), progress }
    await fetchBase(client, home, charter.base, signal)
  } finally {
    await handshakes.stop()
    await host.stop()
    await noted.end()
  }
}

/** Whether a folder holds the charter's base model. */
export async function isCharterBase(folder: string, charter: Charter): Promise<boolean> {
  try {
    await requireCharterBase(folder, charter)
    return true
  } catch (error) {
    if (error instanceof PeerError) return false
    throw error
  }
}
