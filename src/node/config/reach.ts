/**
 * By which ways a peer reaches the others and lets itself be reached. What is safe and free is on by default; what costs
 * traffic or opens a port on somebody's router is off.
 */
export interface ReachOptions {
  /** Outside addresses to tell others, beside those that are listened on: a forwarded port, a proxy's name. */
  readonly announce: readonly string[]
  /** Addresses of relays, each ending in `/p2p/<PeerId>`: they carry connections between members, and never vote. */
  readonly relays: readonly string[]
  /** Dial WebSocket addresses, and listen on those that are configured. */
  readonly webSocket: boolean
  /** Look for members on the local network. */
  readonly mdns: boolean
  /** A distributed hash table among the members, under a protocol name of this consortium alone. */
  readonly dht: boolean
  /** Ask relays to pass connections on to this peer. */
  readonly relayClient: boolean
  /** Pass connections on between members. */
  readonly relayServer: boolean
  /** Replace a relayed connection by a direct one where the routers permit (DCUtR). */
  readonly holePunching: boolean
  /** Ask others whether this peer's addresses can be dialled from outside, and tell them about theirs. */
  readonly autoNat: boolean
  /** Ask the router to forward a port (UPnP). */
  readonly upnp: boolean
}

/** The defaults. */
export const REACH_DEFAULTS: ReachOptions = {
  announce: [],
  relays: [],
  webSocket: true,
  mdns: true,
  dht: false,
  relayClient: true,
  relayServer: false,
  holePunching: true,
  autoNat: true,
  upnp: false
}
