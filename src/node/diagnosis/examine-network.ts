import { setTimeout as delay } from 'node:timers/promises'
import type { PeerConfig } from '../config/index.ts'
import type { Home } from '../home/home.ts'
import { lockHome } from '../home/process-lock.ts'
import { openHome } from '../membership/open-home.ts'
import {
  createHandshakes,
  createQuietHost,
  type HostIdentity,
  hostIdentity
} from '../membership/quiet-host.ts'
import { listen } from '../network/host/listen.ts'
import type { NetworkHost } from '../network/index.ts'
import { loadAddresses } from '../network/peers/known-addresses.ts'
import type { Log } from '../storage/index.ts'
import { PeerError } from '../storage/peer-error.ts'
import { type NetworkView, networkView } from './network-view.ts'

/** What is needed to examine the network. */
export interface ExamineOptions {
  readonly home: Home
  readonly config: Pick<PeerConfig, 'network'>
  readonly log: Log
}

/** Time after the bootstrap addresses have answered for dialling known members and reserving a slot at relays. */
const SETTLE_MS = 4_000
const QUIET_MS = 1_000
const LOOK_MS = 100

/**
 * Examines the network of a home in which no daemon runs: takes the home's lock, starts a host with the home's
 * identity, dials the bootstrap addresses, and stops it again. Signs nothing and takes no part in rounds. Ends within
 * 20 seconds.
 *
 * @throws {PeerError} when there is no identity or charter, or a daemon runs in the home
 */
export async function examineNetwork({ home, config, log }: ExamineOptions): Promise<NetworkView> {
  const unlock = await lockHome(home)
  try {
    const { network } = config
    const opened = await openHome(home, network)
    const { rounds } = opened
    const who = hostIdentity(opened, network, log)
    const { host, listenFault } = await startQuietHost(who)
    const handshakes = createHandshakes(host, who)
    try {
      host.addAddresses(await loadAddresses(home, log))
      await handshakes.start()
      await handshakes.lookNow()
      await settle(host, rounds.head.members.length - 1, network.relays.length > 0)
      return networkView({ host, handshakes, config, context: rounds.head }, 'own-host', listenFault)
    } finally {
      await handshakes.stop()
      await host.stop()
    }
  } finally {
    await unlock()
  }
}

/** If the port is in use, everything else can be examined without listening. */
async function startQuietHost(
  who: HostIdentity
): Promise<{ readonly host: NetworkHost; readonly listenFault: string | null }> {
  const host = await createQuietHost(who)
  try {
    await listen(host, who.network.listen)
    return { host, listenFault: null }
  } catch (error) {
    await host.stop()
    if (!(error instanceof PeerError)) throw error
    const silent = await createQuietHost(who, [])
    await silent.start()
    return { host: silent, listenFault: error.message }
  }
}

/** Waits until no new peer has connected for a while, and a configured relay has reserved a slot. */
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
