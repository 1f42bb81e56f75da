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

export { REACH_DEFAULTS, type ReachOptions } from '../config/reach.ts'
export { RELAY_LIMITS, type RelayLimits } from './core/libp2p-parts.ts'
export type { GossipVerdict, NetworkHost, NetworkNode, ReachState } from './core/network-host.ts'
export { type Traffic, TrafficMeter } from './core/traffic-meter.ts'
export { GOSSIP_BYTES_MAX, type GossipHandlers } from './gossip/gossip.ts'
export { createHost, type HostMetrics, type HostOptions, STOP_TIMEOUT_MS } from './host/create-host.ts'
export { createRelay, type RelayLoad, type RelayNode, type RelayOptions } from './host/create-relay.ts'
export type { Ban, BanTimes, Offence } from './limits/index.ts'
export type { BootstrapOutcome, BootstrapVerdict } from './peers/diagnose.ts'
export { type OwnHandshake, serveHandshakes } from './peers/handshake.ts'
export { type Handshake, Handshakes, type HandshakesOptions } from './peers/handshakes.ts'
export { withDeadline } from './requests/deadline.ts'
export { NetworkError, type NetworkErrorCode } from './requests/network-error.ts'
export {
  isMalformed,
  REQUEST_LIMITS,
  type RequestHandler,
  type RequestLimits,
  type RequestOptions,
  registerRequestHandler,
  request
} from './requests/request-response.ts'
export {
  BLOCK_SERVER_LIMITS,
  BLOCKS_PROTOCOL,
  type BlockExchange,
  type BlockExchangeOptions,
  type BlockServerLimits,
  type FetchAllOptions,
  type FetchProgress,
  PARTIAL_ENDING,
  startBlockExchange,
  UploadLimit,
  type WantedBlock,
  type WantedFile
} from './transfer/index.ts'
