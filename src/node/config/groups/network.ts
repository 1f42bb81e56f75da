import { multiaddr } from '@multiformats/multiaddr'
import { z } from 'zod'
import { REACH_DEFAULTS } from '../reach.ts'
import { setting } from '../setting.ts'
import { TRANSPORT_ADVICE, transportFault } from '../transports.ts'

const address = z
  .string()
  .refine(isMultiaddr, {
    error: ({ input }) => `${String(input)} is not a multiaddr such as /ip4/192.0.2.7/tcp/4001`
  })
  .refine((text) => transportFault(text) === undefined, {
    error: ({ input }) => `${String(input)}: ${transportFault(String(input))}: ${TRANSPORT_ADVICE}`
  })
const peerAddress = address.refine(endsInPeerId, {
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
  announce: setting(z.array(address).default([]), {
    description: 'outside addresses to announce, beside those listened on: a forwarded port, a proxy',
    accepts: 'a list of multiaddrs such as /dns4/lab.example.org/tcp/4001',
    flag: '--announce <address...>'
  }),
  relays: setting(z.array(peerAddress).default([]), {
    description:
      'relays (loam relay) that carry connections to and from this peer, and know where members are',
    accepts: 'a list of multiaddrs that end in /p2p/PEERID',
    flag: '--relay <address...>'
  }),
  mdns: setting(z.boolean().default(REACH_DEFAULTS.mdns), {
    description: 'find members on the local network',
    accepts: 'true or false',
    flag: '--mdns'
  }),
  webSocket: setting(z.boolean().default(REACH_DEFAULTS.webSocket), {
    description: 'dial WebSocket addresses, and listen on those given',
    accepts: 'true or false'
  }),
  relayClient: setting(z.boolean().default(REACH_DEFAULTS.relayClient), {
    description: 'be reachable through the given relays, and through members that relay',
    accepts: 'true or false'
  }),
  relayServer: setting(z.boolean().default(REACH_DEFAULTS.relayServer), {
    description: 'carry connections between other members; costs traffic, and only helps on a public address',
    accepts: 'true or false',
    flag: '--relay-server'
  }),
  holePunching: setting(z.boolean().default(REACH_DEFAULTS.holePunching), {
    description: 'replace relayed connections by direct ones where routers permit (DCUtR)',
    accepts: 'true or false'
  }),
  autoNat: setting(z.boolean().default(REACH_DEFAULTS.autoNat), {
    description: 'ask members whether they can dial this peer, and do the same for them (AutoNAT)',
    accepts: 'true or false'
  }),
  upnp: setting(z.boolean().default(REACH_DEFAULTS.upnp), {
    description: 'ask the router to forward a port (UPnP)',
    accepts: 'true or false',
    flag: '--upnp'
  }),
  dht: setting(z.boolean().default(REACH_DEFAULTS.dht), {
    description:
      'find members with a hash table for this consortium alone (kad-dht); useful with hundreds of members',
    accepts: 'true or false',
    flag: '--dht'
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
  // Malformed addresses have been refused already.
  return !isMultiaddr(text) || multiaddr(text).getComponents().at(-1)?.name === 'p2p'
}
