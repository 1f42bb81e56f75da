import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { packageVersion } from '../../package-root.ts'
import { consortiumCid } from '../../protocol/index.ts'
import { readCharter } from '../charter-file.ts'
import type { PeerConfig } from '../config/index.ts'
import { PeerError } from '../errors.ts'
import type { Home } from '../home.ts'
import { loadIdentity } from '../identity.ts'
import { loadInvite } from '../invite-files.ts'
import { loadAddresses } from '../known-addresses.ts'
import { knownPeers } from '../known-peers.ts'
import { listen } from '../listen.ts'
import { createHost, GreetPeers, type NetworkHost } from '../network/index.ts'
import { lockHome } from '../process-lock.ts'
import { openRoundStore } from '../round-store.ts'
import type { Log } from '../store/index.ts'
import { type NetworkView, networkView } from './network-view.ts'

/** What to look at the network with. */
export interface ExamineOptions {
  readonly home: Home
  readonly config: Pick<PeerConfig, 'network'>
  readonly log: Log
}

/** After the addresses to begin with have answered: time for others to tell where they are, and for relays to reserve a place. */
const SETTLE_MS = 4_000
const QUIET_MS = 1_000
const LOOK_MS = 100

/**
 * Looks at the network of a home in which no daemon runs: takes the home's lock, starts a host with the home's identity,
 * dials the addresses to begin with, and ends it again. Signs nothing, and takes part in nothing. Within 20 seconds.
 *
 * @throws {PeerError} when there is no identity or charter, or a daemon runs in the home
 */
export async function examineNetwork({ home, config, log }: ExamineOptions): Promise<NetworkView> {
  if (!existsSync(home.charter)) throw new PeerError(`${home.folder} has no charter yet`)
  const unlock = await lockHome(home)
  try {
    const identity = await loadIdentity(home.identity)
    if (identity === undefined)
      throw new PeerError(`${home.folder} has no identity yet: loam identity --home ${home.folder} makes one`)
    const charter = await readCharter(home.charter)
    const rounds = await openRoundStore(home, charter)
    const invite = await loadInvite(home)
    const { network } = config
    const { isAllowed, isDialled, bootstrap } = knownPeers(charter, rounds, invite, network)
    const hostOf = (addresses: readonly string[]) =>
      createHost({
        privateKey: identity.privateKey,
        listen: addresses,
        bootstrap,
        reach: network,
        topic: `/loam/${consortiumCid(charter.id)}/1`,
        isAllowed,
        // What it is not there to answer for, it does not pass on either.
        validateGossip: () => 'ignore',
        onGossip: () => {},
        log
      })
    let host = await hostOf(network.listen)
    let listenFault: string | null = null
    try {
      await listen(host, network.listen)
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      listenFault = error.message
      await host.stop()
      host = await hostOf([])
      await host.start()
    }
    const greeting = new GreetPeers(host, {
      self: { charter: charter.id, software: `loam/${packageVersion()}` },
      addresses: [...bootstrap, ...network.relays],
      admits: isDialled,
      onVerdict: () => {},
      onMisfit: () => {},
      log
    })
    try {
      host.addAddresses(await loadAddresses(home, log))
      await greeting.start()
      await greeting.lookNow()
      await settle(host, rounds.head.members.length - 1, network.relays.length > 0)
      return networkView({ host, greeting, config, context: rounds.head }, 'own-host', listenFault)
    } finally {
      await greeting.stop()
      await host.stop()
    }
  } finally {
    await unlock()
  }
}

/** Waits until all are there that can be: until nobody new has come for a while, and a relay that is wanted is there. */
async function settle(host: NetworkHost, others: number, wantsRelay: boolean): Promise<void> {
  let [here, quietMs] = [-1, 0]
  for (let waited = 0; waited < SETTLE_MS; waited += LOOK_MS) {
    const hasRelay = !wantsRelay || host.reach().reservations.length > 0
    const peers = host.peers().length
    quietMs = peers === here ? quietMs + LOOK_MS : 0
    here = peers
    if (hasRelay && (peers >= others || quietMs >= QUIET_MS)) return
    await delay(LOOK_MS)
  }
}
