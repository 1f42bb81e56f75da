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

export {
  BLOCK_SERVER_LIMITS,
  BLOCKS_PROTOCOL,
  type BlockExchange,
  type BlockExchangeOptions,
  type FetchAllOptions,
  type FetchProgress,
  startBlockExchange,
  UploadLimit,
  type WantedBlock
} from './blocks/index.ts'
export { createHost, type HostMetrics, type HostOptions, STOP_TIMEOUT_MS } from './create-host.ts'
export { createRelay, type RelayLoad, type RelayNode, type RelayOptions } from './create-relay.ts'
export { withDeadline } from './deadline.ts'
export type { BootstrapOutcome, BootstrapVerdict } from './diagnose.ts'
export type { Ban, BanTimes, Offence } from './edge/index.ts'
export { GOSSIP_BYTES_MAX, type GossipHandlers } from './gossip.ts'
export { type Greeting, type GreetOptions, GreetPeers } from './greet-peers.ts'
export { type HelloSelf, serveHello } from './hello.ts'
export { RELAY_LIMITS, type RelayLimits } from './libp2p-parts.ts'
export { NetworkError, type NetworkErrorCode } from './network-error.ts'
export type { GossipVerdict, NetworkHost, NetworkNode, ReachState } from './network-host.ts'
export { REACH_DEFAULTS, type ReachOptions } from './reach.ts'
export {
  ANSWER_BYTES_PER_SECOND,
  isMalformed,
  REQUEST_LIMITS,
  type RequestHandler,
  type RequestLimits,
  type RequestOptions,
  registerRequestHandler,
  request
} from './request-response.ts'
export { type Traffic, TrafficMeter } from './traffic-meter.ts'
