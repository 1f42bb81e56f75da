import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { createHttpTransport, type DisposableTransport } from '../../prada/remotes/index.ts'
import type { PeerConfig } from '../config/index.ts'
import { controlPlace } from '../control/client.ts'
import type { Home } from '../home/home.ts'
import { lockHome, runningDaemon } from '../home/process-lock.ts'
import type { Log } from '../log/log.ts'
import { createMemberTransport } from '../logits/member-transport.ts'
import { openHome } from '../membership/open-home.ts'
import { createQuietHost, hostIdentity } from '../membership/quiet-host.ts'
import { loadAddresses } from '../network/peers/known-addresses.ts'
import { PeerError } from '../storage/peer-error.ts'

/** How a home reaches members. */
export interface MemberDialling {
  readonly home: Home
  readonly network: PeerConfig['network']
  readonly log: Log
}

/**
 * A member's logits server, reached as the member whose home it is: through the home's daemon where one runs, as two hosts
 * with one key must not, else over a host of its own, which holds the home's lock so that no daemon starts beside it.
 *
 * @param address a multiaddr that ends in `/p2p/PEERID`; `/p2p/PEERID` alone for a member whose address is known
 * @throws {PeerError} when the home does not belong to a member, or its daemon has no control API
 */
export async function dialMember(
  { home, network, log }: MemberDialling,
  address: string
): Promise<DisposableTransport> {
  const peerId = peerIdIn(address)
  if ((await runningDaemon(home)) !== undefined) {
    const { url, token } = await controlPlace(home)
    return createHttpTransport({ url: `${url}/members/${peerId}`, apiKey: token })
  }
  const unlock = await lockHome(home)
  try {
    const opened = await openHome(home, network)
    if (!opened.known.isAllowed(peerIdFromString(peerId)))
      throw new PeerError(
        `${peerId} is not a member of ${opened.charter.charter.name}: give a member's address`
      )
    const host = await createQuietHost(hostIdentity(opened, network, log), [])
    const stop = async (): Promise<void> => {
      await host.stop()
      await unlock()
    }
    try {
      await host.start()
      host.addAddresses([
        ...(await loadAddresses(home, log)),
        ...(address.startsWith('/p2p/') ? [] : [address])
      ])
      return Object.assign(createMemberTransport(host, peerIdFromString(peerId)), {
        dispose: () => void stop()
      })
    } catch (error) {
      await host.stop()
      throw error
    }
  } catch (error) {
    await unlock()
    throw error
  }
}

function peerIdIn(address: string): string {
  try {
    const last = multiaddr(address).getComponents().at(-1)
    if (last?.name === 'p2p' && last.value !== undefined) return peerIdFromString(last.value).toString()
  } catch {
    // Said below.
  }
  throw new PeerError(
    `${address} is not a member's address: it must end in /p2p/PEERID, as loam peers prints it`
  )
}
