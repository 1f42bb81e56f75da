import { multiaddr } from '@multiformats/multiaddr'
import { z } from 'zod'
import { setting } from '../setting.ts'

const address = z.string().refine(isMultiaddr, {
  error: ({ input }) => `${String(input)} is no multiaddr such as /ip4/192.0.2.7/tcp/4001`
})
const peerAddress = address.refine(endsInPeerId, {
  error: ({ input }) => `${String(input)} must end in /p2p/PEERID: the peer prints it when it starts`
})

/** How this peer is reached and finds the others. */
export const networkSettings = z.strictObject({
  listen: setting(z.array(address).default(['/ip4/0.0.0.0/tcp/0']), {
    description: 'addresses to listen on; port 0 takes a free one',
    accepts: 'a list of multiaddrs such as /ip4/0.0.0.0/tcp/4001',
    flag: '--listen <address...>'
  }),
  bootstrap: setting(z.array(peerAddress).default([]), {
    description: 'addresses of members to dial first',
    accepts: 'a list of multiaddrs that end in /p2p/PEERID',
    flag: '--bootstrap <address...>'
  }),
  mdns: setting(z.boolean().default(true), {
    description: 'find members on the local network',
    accepts: 'true or false',
    flag: '--mdns'
  })
})

function isMultiaddr(text: string): boolean {
  try {
    return multiaddr(text) !== undefined
  } catch {
    return false
  }
}

function endsInPeerId(text: string): boolean {
  // Text that is no address at all has been refused already.
  return !isMultiaddr(text) || multiaddr(text).getComponents().at(-1)?.name === 'p2p'
}
