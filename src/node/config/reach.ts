/**
 * The ways in which a peer reaches others and can be reached. Safe and free ones are on by default; those that cost
 * traffic or open a port on a router are off.
 */
export interface ReachOptions {
  /** Outside addresses to announce, beside those listened on: a forwarded port, a proxy's name. */
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
  /** Ask others whether they can dial this peer's addresses, and do the same for them. */
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
