import { existsSync } from 'node:fs'
import type { PrivateKey } from '@libp2p/interface'
import { type Charter, consortiumCid } from '../../protocol/index.ts'
import type { PeerConfig } from '../config/index.ts'
import { requireCharterBase } from '../consortium.ts'
import { messageOf, PeerError } from '../errors.ts'
import type { Home } from '../home.ts'
import { createHost, type HostOptions } from '../network/index.ts'
import type { Log } from '../store/index.ts'
import { fetchBase } from './fetch-base.ts'
import type { BaseProgress } from './fetch-file.ts'

/** How to get a base that nobody has given. */
export interface BaseSearch {
  readonly home: Home
  readonly config: PeerConfig
  readonly privateKey: PrivateKey
  readonly charterId: Uint8Array
  readonly charter: Charter
  readonly bootstrap: readonly string[]
  readonly addresses: readonly string[]
  readonly isAllowed: HostOptions['isAllowed']
  readonly log: Log
  readonly progress: (progress: BaseProgress) => void
  readonly signal: AbortSignal
}

/**
 * The folder of the charter's base model: the one that the settings have by default, where it fits, else `HOME/base`, into
 * which it is fetched from members where it is not there.
 *
 * @throws {PeerError} when `HOME/base` is there and damaged, or the fetching cannot go on
 */
export async function requireBase(search: BaseSearch): Promise<string> {
  const { home, config, charter, log, signal } = search
  if (existsSync(home.base)) {
    try {
      await requireCharterBase(home.base, charter)
    } catch (error) {
      throw new PeerError(`${messageOf(error)}; remove ${home.base} to have it fetched again`)
    }
    return home.base
  }
  if (await isCharterBase(config.model, charter)) return config.model
  log.info({ folder: home.base }, 'the base model is fetched from members')
  const host = await createHost({
    privateKey: search.privateKey,
    listen: config.network.listen,
    bootstrap: search.bootstrap,
    reach: config.network,
    topic: `/loam/${consortiumCid(search.charterId)}/1`,
    isAllowed: search.isAllowed,
    validateGossip: () => 'ignore',
    onGossip: () => {},
    log
  })
  try {
    host.addAddresses(search.addresses)
    await host.start()
    const { charterId, progress } = search
    const client = { host, charterId, log, refused: new Set<string>(), progress }
    await fetchBase(client, home, charter.base, signal)
  } finally {
    await host.stop()
  }
  return home.base
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
