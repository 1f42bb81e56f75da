import { messageOf, PeerError } from '../../storage/peer-error.ts'
import type { NetworkNode } from '../core/network-host.ts'

/**
 * Starts a node of the network.
 *
 * @param addresses to listen on, for the message
 * @throws {PeerError} when it cannot listen on them
 */
export async function listen(node: NetworkNode, addresses: readonly string[]): Promise<void> {
  try {
    await node.start()
  } catch (error) {
    const reason = /listen (E[A-Z]+[^;\n]*)/.exec(messageOf(error))?.[1] ?? messageOf(error)
    throw new PeerError(`cannot listen on ${addresses.join(', ')}: ${reason}; set --listen to a free address`)
  }
}
