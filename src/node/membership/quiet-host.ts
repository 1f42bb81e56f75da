import type { PrivateKey } from '@libp2p/interface'
import { packageVersion } from '../../package-root.ts'
import { consortiumCid } from '../../protocol/index.ts'
import type { PeerConfig } from '../config/index.ts'
import { createHost, Handshakes, type HandshakesOptions, type NetworkHost } from '../network/index.ts'
import type { Instance } from '../network/peers/instance.ts'
import type { Log } from '../storage/index.ts'
import type { KnownPeers } from './known-peers.ts'
import type { OpenHome } from './open-home.ts'

/** The identity of a home's host, and the peers that it knows. */
export interface HostIdentity {
  readonly privateKey: PrivateKey
  readonly instance: Instance
  readonly charterId: Uint8Array
  readonly known: KnownPeers
  readonly network: PeerConfig['network']
  readonly log: Log
}

/** The host of an opened home. */
export function hostIdentity(
  { charter, identity, instance, known }: Pick<OpenHome, 'charter' | 'identity' | 'instance' | 'known'>,
  network: PeerConfig['network'],
  log: Log
): HostIdentity {
  return { privateKey: identity.privateKey, instance, charterId: charter.id, known, network, log }
}

/** A host with a peer's identity that takes no part in gossip: it forwards nothing that it does not validate. */
export function createQuietHost(
  { privateKey, charterId, known, network, log }: HostIdentity,
  listen: readonly string[] = network.listen
): Promise<NetworkHost> {
  return createHost({
    privateKey,
    listen,
    bootstrap: known.bootstrap,
    reach: network,
    topic: `/loam/${consortiumCid(charterId)}/1`,
    isAllowed: known.isAllowed,
    validateGossip: () => 'ignore',
    onGossip: () => {},
    log
  })
}

/** Handshakes for a home's host, and verdicts on its bootstrap addresses. */
export function createHandshakes(
  host: NetworkHost,
  { charterId, instance, known, network, log }: Omit<HostIdentity, 'privateKey'>,
  handlers: Partial<Pick<HandshakesOptions, 'onVerdict' | 'onIncompatible' | 'onCopy' | 'onAlone'>> = {}
): Handshakes {
  return new Handshakes(host, {
    self: { charter: charterId, software: `loam/${packageVersion()}`, instance },
    addresses: [...known.bootstrap, ...network.relays],
    admits: known.isDialled,
    onVerdict: () => {},
    onIncompatible: () => {},
    onCopy: () => {},
    onAlone: () => {},
    ...handlers,
    log
  })
}
