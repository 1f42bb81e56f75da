import type { Multiaddr } from '@multiformats/multiaddr'
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

/** What became of an address to begin with. */
export type BootstrapOutcome =
  | 'answers'
  | 'malformed'
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
  /** Empty where nothing has to be done. */
  readonly advice: string
  readonly handshake?: HandshakeAnswer
}

/** How to diagnose. */
export interface DiagnoseOptions {
  readonly self: OwnHandshake
  /** Whether this node's own gater lets it dial a peer. */
  readonly admits: (peerId: PeerAddress['peerId']) => boolean
  readonly signal?: AbortSignal
}

/** All steps together, milliseconds: who starts a peer hears within 15 seconds what is wrong. */
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
    return await withDeadline(`looking at ${address}`, DIAGNOSE_MS, options.signal, (signal) =>
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
      `it cannot be read: ${messageOf(error)}`,
      'copy it again from the peer that printed it'
    )
  }
  const { address, peerId } = target
  if (peerId.equals(host.peerId))
    return say('self', 'this is the peer itself', 'name another member: this one is of no use here')
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

/** Undefined where the port takes a connection, or where the way leads through a relay. */
async function tryPort(address: Multiaddr, signal: AbortSignal): Promise<PortFault | undefined> {
  const hop = hostPortOf(address)
  if (hop === undefined) return undefined
  const outcome = await probeTcp(hop, TCP_MS, signal)
  return outcome === 'open' ? undefined : outcome
}

const REASONS: Readonly<Record<PortFault, (address: Multiaddr) => string>> = {
  'unknown-name': (address) => `the name ${hostPortOf(address)?.host} is not known to DNS`,
  refused: (address) =>
    `${where(address)} is there, but nothing listens on port ${hostPortOf(address)?.port}`,
  timeout: (address) => `${where(address)} does not answer on port ${hostPortOf(address)?.port}`,
  unreachable: (address) => `there is no way from here to ${where(address)}`
}
const ADVICE: Readonly<Record<PortFault, string>> = {
  'unknown-name': 'look for a slip of the pen, or give the IP address',
  refused: 'ask whether that peer runs, and with which --listen port',
  timeout:
    'a firewall or router swallows it, or the machine is off: have that port opened and forwarded there, or use a relay (loam relay)',
  unreachable: 'look at this machine’s own network; a private address is good on its own network only'
}

function where(address: Multiaddr): string {
  return hostPortOf(address)?.host ?? address.toString()
}

/** Undefined where the handshake was done. */
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
        'that peer has a new identity, or the address is somebody else’s now: ask it for the line that it prints at its start'
      )
    if (isRelayed(address))
      return say(
        'unreachable',
        'the relay does not connect to that peer',
        'it has to be running and connected to the same relay'
      )
    return say(
      'no-loam',
      `something listens there, but it does not shake hands as a Loam peer (${messageOf(errors.at(-1))})`,
      'look at the port: another program may have it. A peer that is very busy answers late, too'
    )
  }
}

/** The handshake proves who is there, and only then does the other side decide whether it wants this one. */
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
        'it does not know /loam/handshake/1: an older version of Loam, or another program',
        'agree on one version of Loam'
      )
    // A busy peer still holds the connection; one that does not want this peer has ended it, however often it is dialled.
    if (ids().some((id) => before.has(id)))
      return say(
        'timeout',
        `it is connected, but does not shake hands (${messageOf(error)})`,
        'it may be busy'
      )
    return say(
      'refuses-us',
      `it hangs up after the handshake: ${host.peerId} is no member there`,
      'send it your card (loam identity) or your request to join (loam members admit), and compare charters (loam consortium inspect); a relay has to be told: loam relay --charter, or --allow'
    )
  }
}

function describe(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return `${(error as Error)?.name} ${messageOf(error)} ${cause instanceof Error ? `${cause.name} ${cause.message}` : ''}`
}
