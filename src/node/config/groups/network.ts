import { multiaddr } from '@multiformats/multiaddr'
import { z } from 'zod'
import { REACH_DEFAULTS } from '../reach.ts'
import { setting, toggle } from '../setting.ts'
import { dialFault, TRANSPORT_ADVICE, transportFault } from '../transports.ts'

const address = z
  .string()
  .refine(isMultiaddr, {
    error: ({ input }) => `${String(input)} is not a multiaddr such as /ip4/192.0.2.7/tcp/4001`
  })
  .refine((text) => transportFault(text) === undefined, {
    error: ({ input }) => `${String(input)}: ${transportFault(String(input))}: ${TRANSPORT_ADVICE}`
  })
const dialled = address.refine(
  (text) => transportFault(text) !== undefined || dialFault(text) === undefined,
  { error: ({ input }) => `${String(input)}: ${dialFault(String(input))}: ${TRANSPORT_ADVICE}` }
)
const peerAddress = dialled.refine(endsInPeerId, {
  error: ({ input }) => `${String(input)} must end in /p2p/PEERID: the peer prints it when it starts`
})

/** How this peer is reached and finds the others. */
export const networkSettings = z.strictObject({
  listen: setting(z.array(address).default(['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0']), {
    description:
      'addresses to listen on; port 0 picks a free port and keeps it, /ws at the end means WebSocket',
    accepts: 'a list of multiaddrs such as /ip4/0.0.0.0/tcp/4001',
    flag: '--listen <address...>'
  }),
  bootstrap: setting(z.array(peerAddress).default([]), {
    description: 'addresses of members to dial first',
    accepts: 'a list of multiaddrs that end in /p2p/PEERID',
    flag: '--bootstrap <address...>'
  }),
  announce: setting(z.array(dialled).default([]), {
    description: 'external addresses to announce in addition to those listened on: a forwarded port, a proxy',
    accepts: 'a list of multiaddrs such as /dns4/lab.example.org/tcp/4001',
    flag: '--announce <address...>'
  }),
  relays: setting(z.array(peerAddress).default([]), {
    description:
      'relays (loam relay) that carry connections to and from this peer, and know the addresses of members',
    accepts: 'a list of multiaddrs that end in /p2p/PEERID',
    flag: '--relay <address...>'
  }),
  mdns: toggle(REACH_DEFAULTS.mdns, 'find members on the local network', '--mdns'),
  webSocket: toggle(REACH_DEFAULTS.webSocket, 'dial WebSocket addresses, and listen on those given'),
  relayClient: toggle(
    REACH_DEFAULTS.relayClient,
    'be reachable through the given relays, and through members that relay'
  ),
  relayServer: toggle(
    REACH_DEFAULTS.relayServer,
    'carry connections between other members; costs traffic, and only helps on a public address',
    '--relay-server'
  ),
  holePunching: toggle(
    REACH_DEFAULTS.holePunching,
    'replace relayed connections by direct ones where routers permit (DCUtR)'
  ),
  autoNat: toggle(
    REACH_DEFAULTS.autoNat,
    'ask members whether they can dial this peer, and do the same for them (AutoNAT)'
  ),
  upnp: toggle(REACH_DEFAULTS.upnp, 'ask the router to forward a port (UPnP)', '--upnp'),
  dht: toggle(
    REACH_DEFAULTS.dht,
    'find members with a hash table private to this consortium (kad-dht); useful with hundreds of members',
    '--dht'
  )
})

function isMultiaddr(text: string): boolean {
  try {
    return multiaddr(text) !== undefined
  } catch {
    return false
  }
}

function endsInPeerId(text: string): boolean {
  // Malformed addresses have been refused already.
  return !isMultiaddr(text) || multiaddr(text).getComponents().at(-1)?.name === 'p2p'
}
