/**
 * A peer's network: libp2p host, gossip, shard blocks, request and response.
 *
 * @example
 * ```ts
 * const host = await createHost({
 *   privateKey, listen: ['/ip4/0.0.0.0/tcp/4001'], bootstrap, mdns: true, topic: `/loam/${charterId}/1`,
 *   isAllowed: (peerId) => members.has(peerId.toString()),
 *   validateGossip: (bytes) => (verify(bytes) ? 'accept' : 'reject'),
 *   onGossip: (bytes) => handle(bytes),
 *   log
 * })
 * await host.start()
 * await host.publish(envelope)
 * ```
 */

export { RELAY_LIMITS, type RelayLimits } from './core/libp2p-parts.ts'
export type { GossipVerdict, NetworkHost, NetworkNode } from './core/network-host.ts'
export { GOSSIP_BYTES_MAX } from './gossip/gossip.ts'
export { createHost, type HostMetrics } from './host/create-host.ts'
export { createRelay, type RelayLoad, type RelayNode } from './host/create-relay.ts'
export type { BanTimes } from './limits/index.ts'
export type { BootstrapVerdict } from './peers/diagnose.ts'
export { serveHandshakes } from './peers/handshake.ts'
export { Handshakes, type HandshakesOptions } from './peers/handshakes.ts'
export { withDeadline } from './requests/deadline.ts'
export { NetworkError } from './requests/network-error.ts'
export {
  isMalformed,
  type RequestHandler,
  type RequestLimits,
  registerRequestHandler,
  request,
  requestFrames
} from './requests/request-response.ts'
export {
  BLOCK_SERVER_LIMITS,
  BLOCKS_PROTOCOL,
  type BlockExchange,
  type BlockExchangeOptions,
  type FetchProgress,
  startBlockExchange,
  type WantedBlock
} from './transfer/index.ts'
