import { existsSync } from 'node:fs'
import { packageVersion } from '../../package-root.ts'
import type { SignedCharter } from '../../protocol/index.ts'
import { readCharter } from '../home/charter-file.ts'
import { createHomeFolders, type Home } from '../home/home.ts'
import { loadOrCreateIdentity } from '../home/identity.ts'
import { lockHome } from '../home/process-lock.ts'
import type { Log } from '../log/log.ts'
import { listen } from '../network/host/listen.ts'
import { createRelay, type RelayLimits, type RelayLoad, serveHandshakes } from '../network/index.ts'
import { AddressExchange } from '../network/peers/address-exchange.ts'
import { PeerError } from '../storage/peer-error.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import { AllowList, readPeerId } from './allow-list.ts'

/** Options of a relay. */
export interface RelaySettings {
  readonly home: Home
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly upnp: boolean
  /** PeerIds that are allowed beside the charter's founders and those listed in `HOME/allowed`. */
  readonly allow: readonly string[]
  readonly limits: RelayLimits
  readonly log: Log
}

/** A running relay. */
export interface Relay {
  readonly peerId: string
  readonly addresses: () => string[]
  readonly load: () => RelayLoad
  /** Closes connections and files. */
  stop(): Promise<void>
}

/**
 * Starts a relay and bootstrap node: members that can only dial out are reached through it, and learn the others'
 * addresses from it. It takes no part in rounds, and has no key to decrypt what it carries.
 *
 * @throws {PeerError} when a setting, a file or the network prevents the start; the message says what to do
 */
export async function startRelay({ home, log, ...settings }: RelaySettings): Promise<Relay> {
  await createHomeFolders(home)
  const unlock = await lockHome(home)
  try {
    const charter = existsSync(home.charter) ? await readCharter(home.charter) : undefined
    const allowed = await admitted(home, charter, settings.allow, log)
    const { peerId, privateKey } = await loadOrCreateIdentity(home.identity)
    if (allowed.has(peerId))
      throw new PeerError(
        `${home.folder} holds a member's identity: a relay needs its own home, and with it its own identity`
      )
    const node = await createRelay({
      privateKey,
      listen: settings.listen,
      announce: settings.announce,
      upnp: settings.upnp,
      limits: settings.limits,
      isAllowed: (peer) => allowed.has(peer.toString()),
      log
    })
    try {
      await listen(node, settings.listen)
    } catch (error) {
      await node.stop()
      throw error
    }
    const addresses = new AddressExchange({ host: node, log }, charter?.id)
    await addresses.start()
    await serveHandshakes(
      node,
      { charter: charter?.id, software: `loam/${packageVersion()}` },
      async () => undefined,
      log
    )
    allowed.watch(() => {
      for (const peer of node.peers())
        if (!allowed.has(peer.toString()))
          node.libp2p.hangUp(peer).catch((error: unknown) => {
            log.debug(
              { peer: peer.toString(), error: String(error) },
              'a peer that is no longer allowed could not be disconnected'
            )
          })
    })
    log.info({ peerId, addresses: node.multiaddrs(), admitted: allowed.size }, 'the relay is running')
    return {
      peerId,
      addresses: () => node.multiaddrs(),
      load: () => node.load(),
      async stop() {
        allowed.stop()
        await addresses.stop()
        await node.stop()
        await unlock()
      }
    }
  } catch (error) {
    await unlock()
    throw error
  }
}

async function admitted(
  home: Home,
  charter: SignedCharter | undefined,
  allow: readonly string[],
  log: Log
): Promise<AllowList> {
  const founders = charter?.charter.members.map(({ peer }) => peerIdText(peer)) ?? []
  const named = allow.map((text) => readPeerId(text, '--allow'))
  const allowed = new AllowList(home.allowed, [...founders, ...named], log)
  await allowed.read()
  if (allowed.size === 0)
    throw new PeerError(
      `the relay has no allowed peers: pass --charter FILE or --allow PEERID, or list PeerIds in ${home.allowed}, one per line`
    )
  return allowed
}
