import { multiaddr } from '@multiformats/multiaddr'

/** Transports of libp2p that Loam does not speak, by the names of their parts of an address. */
const OTHER_TRANSPORTS: Readonly<Record<string, string>> = {
  'quic-v1': 'QUIC',
  quic: 'QUIC',
  webtransport: 'WebTransport',
  'webrtc-direct': 'WebRTC',
  webrtc: 'WebRTC',
  utp: 'uTP',
  udp: 'UDP'
}

/**
 * Why no connection can be made over an address; undefined where one can.
 *
 * @param text a multiaddr; anything else has no fault here
 */
export function transportFault(text: string): string | undefined {
  let names: string[]
  try {
    names = multiaddr(text)
      .getComponents()
      .map(({ name }) => name)
  } catch {
    return undefined
  }
  const other = Object.keys(OTHER_TRANSPORTS).find((name) => names.includes(name))
  if (other !== undefined)
    return `it is an address of ${OTHER_TRANSPORTS[other]}, and Loam speaks TCP and WebSocket`
  if (DIALLED.some((name) => names.includes(name))) return undefined
  return 'it names no TCP port, and Loam speaks TCP and WebSocket'
}

/** Parts of an address that a peer may listen on, but that nobody can dial. */
const LISTENED_ONLY: Readonly<Record<string, string>> = {
  '/ip4/0.0.0.0': '0.0.0.0 stands for all addresses of the machine that listens there',
  '/ip6/::': ':: stands for all addresses of the machine that listens there',
  '/tcp/0': 'port 0 stands for any free port of the machine that listens there'
}

/**
 * Why other peers cannot dial an address; undefined where they can.
 *
 * @param text a multiaddr; anything else has no fault here
 */
export function dialFault(text: string): string | undefined {
  const fault = transportFault(text)
  if (fault !== undefined) return fault
  try {
    const parts = multiaddr(text)
      .getComponents()
      .map(({ name, value }) => `/${name}/${value ?? ''}`)
    const part = parts.find((each) => Object.hasOwn(LISTENED_ONLY, each))
    return part === undefined ? undefined : LISTENED_ONLY[part]
  } catch {
    return undefined
  }
}

/** Parts of addresses that can be dialled; a dnsaddr stands for others, which are looked up. */
const DIALLED = ['tcp', 'p2p-circuit', 'dnsaddr', 'memory']

/**
 * What is wrong with an address that Loam is to listen on, or to dial or give to others, and what to do.
 *
 * @returns undefined if nothing is
 */
export function addressFault(text: string, use: 'listen' | 'dial' = 'listen'): string | undefined {
  try {
    multiaddr(text)
  } catch {
    return `${JSON.stringify(text)} is not a multiaddr: ${TRANSPORT_ADVICE}`
  }
  const fault = use === 'dial' ? dialFault(text) : transportFault(text)
  return fault === undefined ? undefined : `${text}: ${fault}: ${TRANSPORT_ADVICE}`
}

/** What to do about such an address. */
export const TRANSPORT_ADVICE =
  'give the /tcp/ address that the peer prints when it starts, such as /ip4/192.0.2.7/tcp/4001'
