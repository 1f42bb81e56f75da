import type { BootstrapView, NetworkView } from '../../../../src/node/diagnosis/index.ts'

/** A PeerId, different by its number. */
export const peer = (number: number) => `12D3KooW${String(number).padStart(44, 'x')}`

/** A healthy network, with the changes of a test. */
export function network(changes: Partial<NetworkView> = {}): NetworkView {
  return {
    source: 'daemon',
    peerId: peer(0),
    members: { others: 3, connected: 3, quorum: 3 },
    addresses: [
      { address: `/ip4/192.168.1.5/tcp/4001/p2p/${peer(0)}`, announced: true, kind: 'transport' },
      { address: `/ip4/127.0.0.1/tcp/4001/p2p/${peer(0)}`, announced: true, kind: 'transport' }
    ],
    listenFault: null,
    observed: [{ peerId: peer(1), address: '/ip4/192.168.1.5/tcp/40112', isOwn: true }],
    autoNat: 'unknown',
    inbound: 1,
    outbound: 2,
    relayed: 0,
    reservations: [],
    mesh: [peer(1), peer(2), peer(3)],
    bootstrap: [bootstrap()],
    clocks: [1, 2, 3].map((number) => ({ peerId: peer(number), aheadMs: 12, roundTripMs: 20 })),
    incompatiblePeers: [],
    copies: [],
    ...changes
  }
}

/** An address that answers, with the changes of a test. */
export function bootstrap(changes: Partial<BootstrapView> = {}): BootstrapView {
  return {
    address: `/ip4/198.51.100.7/tcp/4001/p2p/${peer(1)}`,
    use: 'bootstrap',
    outcome: 'answers',
    reason: 'it answers',
    advice: '',
    roundTripMs: 20,
    ...changes
  }
}
