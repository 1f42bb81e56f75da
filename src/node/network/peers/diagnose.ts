import type { Multiaddr } from '@multiformats/multiaddr'
import { TRANSPORT_ADVICE, transportFault } from '../../config/transports.ts'
import { messageOf } from '../../storage/peer-error.ts'
import type { NetworkNode } from '../core/network-host.ts'
import { withDeadline } from '../requests/deadline.ts'
import {
  type HandshakeAnswer,
  incompatibility,
  type OwnHandshake,
  PROTOCOL_VERSION,
  requestHandshake
} from './handshake.ts'
import { isRelayed, type PeerAddress, readPeerAddress } from './peer-address.ts'
import { hostPortOf, probeTcp, type TcpOutcome } from './tcp-probe.ts'

/** The outcome of dialling a bootstrap address. */
export type BootstrapOutcome =
  | 'answers'
  | 'malformed'
  | 'other-transport'
  | 'self'
  | 'not-a-member'
  | 'unknown-name'
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'wrong-peer'
  | 'refuses-us'
  | 'no-loam'
  | 'other-protocol'
  | 'other-consortium'

/** A verdict on one address, with what to do about it. */
export interface BootstrapVerdict {
  readonly address: string
  readonly outcome: BootstrapOutcome
  /** One sentence each, without a full stop. */
  readonly reason: string
  /** Empty if there is nothing to do. */
  readonly advice: string
  readonly handshake?: HandshakeAnswer
}

/** Options of a diagnosis. */
export interface DiagnoseOptions {
  readonly self: OwnHandshake
  /** Whether this node's own gater lets it dial a peer. */
  readonly admits: (peerId: PeerAddress['peerId']) => boolean
  readonly signal?: AbortSignal
}

/** Timeout of all steps together, milliseconds: the operator learns what is wrong within 15 seconds of the start. */
export const DIAGNOSE_MS = 11_000
const TCP_MS = 3_000
const DIAL_MS = 5_000

/** Finds out why an address does not answer, step by step: name, port, handshake, admission, version. Never throws. */
export async function diagnoseBootstrap(
  host: NetworkNode,
  address: string,
  options: DiagnoseOptions
): Promise<BootstrapVerdict> {
  const say = (outcome: BootstrapOutcome, reason: string, advice = '', handshake?: HandshakeAnswer) => ({
    address,
    outcome,
    reason,
    advice,
    ...(handshake === undefined ? {} : { handshake })
  })
  try {
    return await withDeadline(`diagnosing ${address}`, DIAGNOSE_MS, options.signal, (signal) =>
      diagnose(host, address, { ...options, signal }, say)
    )
  } catch {
    return say('timeout', `there was no answer within ${DIAGNOSE_MS / 1000} s`, ADVICE.timeout)
  }
}

type Say = (
  outcome: BootstrapOutcome,
  reason: string,
  advice?: string,
  handshake?: HandshakeAnswer
) => BootstrapVerdict

async function diagnose(
  host: NetworkNode,
  text: string,
  options: DiagnoseOptions & { readonly signal: AbortSignal },
  say: Say
): Promise<BootstrapVerdict> {
  let target: PeerAddress
  try {
    target = readPeerAddress(text)
  } catch (error) {
    return say(
      'malformed',
      `malformed address: ${messageOf(error)}`,
      'copy it again from the peer that printed it'
    )
  }
  const { address, peerId } = target
  const transport = transportFault(text)
  if (transport !== undefined) return say('other-transport', transport, TRANSPORT_ADVICE)
  if (peerId.equals(host.peerId)) return say('self', 'this is the peer itself', 'give another member instead')
  if (!options.admits(peerId))
    return say(
      'not-a-member',
      `${peerId} is not a member of this consortium`,
      'compare with loam consortium inspect; a relay belongs under relays (--relay)'
    )
  const isConnected = host.libp2p.getConnections(peerId).length > 0
  if (!isConnected) {
    const port = await tryPort(address, options.signal)
    if (port !== undefined) return say(port, REASONS[port](address), ADVICE[port])
    const refusal = await tryDial(host, address, options.signal, say)
    if (refusal !== undefined) return refusal
  }
  return shakeHands(host, target, options, say)
}

type PortFault = Exclude<TcpOutcome, 'open'>

/** Undefined if the port accepts a connection, or the address is relayed. */
async function tryPort(address: Multiaddr, signal: AbortSignal): Promise<PortFault | undefined> {
  const hop = hostPortOf(address)
  if (hop === undefined) return undefined
  const outcome = await probeTcp(hop, TCP_MS, signal)
  return outcome === 'open' ? undefined : outcome
}

const REASONS: Readonly<Record<PortFault, (address: Multiaddr) => string>> = {
  'unknown-name': (address) => `the name ${hostPortOf(address)?.host} is not known to DNS`,
  refused: (address) => `${where(address)} is up, but nothing listens on port ${hostPortOf(address)?.port}`,
  timeout: (address) => `${where(address)} does not answer on port ${hostPortOf(address)?.port}`,
  unreachable: (address) => `no route to ${where(address)}`
}
const ADVICE: Readonly<Record<PortFault, string>> = {
  'unknown-name': 'check the spelling, or give the IP address',
  refused: 'check that the peer runs, and its --listen port',
  timeout:
    'a firewall or router drops the packets, or the machine is off: have the port opened and forwarded there, or use a relay (loam relay)',
  unreachable: 'check the network of this machine; a private address works only on its own network'
}

function where(address: Multiaddr): string {
  return hostPortOf(address)?.host ?? address.toString()
}

/** Undefined if the handshake succeeded. */
async function tryDial(
  host: NetworkNode,
  address: Multiaddr,
  signal: AbortSignal,
  say: Say
): Promise<BootstrapVerdict | undefined> {
  try {
    await withDeadline(`dialling ${address}`, DIAL_MS, signal, (deadline) =>
      host.libp2p.dial(address, { signal: deadline })
    )
    return undefined
  } catch (error) {
    const errors = error instanceof AggregateError ? [error, ...error.errors] : [error]
    const text = errors.map((each) => `${(each as Error).name} ${messageOf(each)}`).join('; ')
    const [, found] = /(?:remote peer id|payload identity key) "?(12D3Koo\w+)/i.exec(text) ?? []
    if (/UnexpectedPeer|UnexpectedPeerError|did not match expected|payload identity key/i.test(text))
      return say(
        'wrong-peer',
        `another peer answers there${found === undefined ? '' : `: ${found}`}`,
        'that peer has a new identity, or the address now belongs to another one: ask for the address that it prints at startup'
      )
    if (isRelayed(address))
      return say(
        'unreachable',
        'the relay does not connect to that peer',
        'make sure that it is running and connected to the same relay'
      )
    return say(
      'no-loam',
      `something listens there, but the handshake failed (${messageOf(errors.at(-1))})`,
      'check the port: another program may use it. A very busy peer also answers late'
    )
  }
}

/** The handshake proves the identity; only then does the other side decide whether to admit this peer. */
async function shakeHands(
  host: NetworkNode,
  { peerId }: PeerAddress,
  { self, signal }: DiagnoseOptions,
  say: Say
): Promise<BootstrapVerdict> {
  const ids = () => host.libp2p.getConnections(peerId).map(({ id }) => id)
  const before = new Set(ids())
  try {
    const handshake = await requestHandshake(host, peerId, self, { signal })
    const fault = incompatibility(self, handshake)
    if (fault === undefined) return say('answers', 'it answers', '', handshake)
    const isVersion = handshake.protocol !== (self.protocol ?? PROTOCOL_VERSION)
    return say(
      isVersion ? 'other-protocol' : 'other-consortium',
      fault,
      isVersion ? 'agree on one version of Loam' : 'compare the id that loam consortium inspect prints',
      handshake
    )
  } catch (error) {
    if (/UnsupportedProtocol|protocol selection failed|could not negotiate/i.test(describe(error)))
      return say(
        'other-protocol',
        'it does not support /loam/handshake/1: an older version of Loam, or another program',
        'agree on one version of Loam'
      )
    // A busy peer keeps the connection; one that refuses this peer closes it every time.
    if (ids().some((id) => before.has(id)))
      return say(
        'timeout',
        `it is connected, but does not answer the handshake (${messageOf(error)})`,
        'it may be busy'
      )
    return say(
      'refuses-us',
      `it closes the connection: ${host.peerId} is not a member there`,
      'send it your card (loam identity) or your request to join (loam members admit), and compare charters (loam consortium inspect); add the peer to a relay with loam relay --charter, or --allow'
    )
  }
}

function describe(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return `${(error as Error)?.name} ${messageOf(error)} ${cause instanceof Error ? `${cause.name} ${cause.message}` : ''}`
}
