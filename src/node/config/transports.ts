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
  return other === undefined
    ? undefined
    : `it is an address of ${OTHER_TRANSPORTS[other]}, and Loam speaks TCP and WebSocket`
}

/** What to do about such an address. */
export const TRANSPORT_ADVICE =
  'give the /tcp/ address that the peer prints when it starts, such as /ip4/192.0.2.7/tcp/4001'
