import { multiaddr } from '@multiformats/multiaddr'
import { isRelayed } from '../network/peers/peer-address.ts'
import { hostPortOf } from '../network/peers/tcp-probe.ts'
import { judgeClocks } from './clocks.ts'
import type { BootstrapView, NetworkView } from './network-view.ts'

/** A finding that an operator should know about or act on. */
export interface NetworkFinding {
  /** The peer cannot take part without an `action`; a `warning` may resolve itself. */
  readonly level: 'action' | 'warning'
  /** The problem and what to do, in whole sentences. */
  readonly text: string
}

/** Outcomes that may resolve themselves: the other side or its network is down. */
const PASSING: ReadonlySet<string> = new Set(['refused', 'timeout', 'unreachable', 'pending'])

/** What to do about a network, most urgent first. */
export function judgeNetwork(view: NetworkView): NetworkFinding[] {
  const findings = [
    ...copies(view),
    ...listening(view),
    ...view.bootstrap.flatMap((each) => addressFinding(each, view)),
    ...connections(view),
    ...wayIn(view),
    ...clocks(view),
    ...view.incompatiblePeers.map(({ peerId, reason }) => warning(`${peerId} does not fit: ${reason}.`))
  ]
  return findings.sort((a, b) => Number(b.level === 'action') - Number(a.level === 'action'))
}

function copies({ peerId: own, copies: seen }: NetworkView): NetworkFinding[] {
  return seen.map(({ peerId, secondsAgo }) =>
    peerId === own
      ? action(
          `Another copy of this peer was running ${secondsAgo} s ago: they sign against each other and lose the membership. Find out where this home was copied to, and stop one of the two for good.`
        )
      : warning(
          `Two copies of ${peerId} were running ${secondsAgo} s ago. Tell that lab to stop one of them.`
        )
  )
}

function listening({ listenFault, addresses, bootstrap }: NetworkView): NetworkFinding[] {
  if (listenFault !== null) return [action(`${sentence(listenFault)}`)]
  const places = addresses.flatMap(({ address, kind }) => (kind === 'transport' ? hostsOf(address) : []))
  if (places.length === 0 || !places.every(isLoopback)) return []
  if (bootstrap.length > 0 && bootstrap.every(({ address }) => hostsOf(address).every(isLoopback))) return []
  return [
    warning(
      'It listens on the loopback interface only, so no other machine can dial it: set --listen /ip4/0.0.0.0/tcp/4001, or another port.'
    )
  ]
}

function addressFinding(
  { address, use, outcome, reason, advice }: BootstrapView,
  { members }: NetworkView
): NetworkFinding[] {
  if (outcome === 'answers') return []
  const text = `The ${use} address ${address}: ${sentence(reason)}${advice === '' ? '' : ` What to do: ${sentence(advice)}`}`
  const mayPass = PASSING.has(outcome) && members.connected > 0
  return [mayPass ? warning(text) : action(text)]
}

function connections({ members, bootstrap, mesh }: NetworkView): NetworkFinding[] {
  const { others, connected, quorum } = members
  if (others === 0) return []
  if (connected === 0) {
    if (bootstrap.length > 0)
      return [action('No member is connected: rounds wait for a quorum. See the addresses above.')]
    return [
      action(
        'No member is connected, and no bootstrap address is set: ask a member for the address that its peer prints at startup, and pass it with --bootstrap ADDRESS.'
      )
    ]
  }
  const findings: NetworkFinding[] = []
  if (connected + 1 < quorum)
    findings.push(
      warning(
        `Only ${connected} other member(s) are connected; rounds wait for a quorum of ${quorum}, this peer included.`
      )
    )
  if (mesh !== null && mesh.length === 0)
    findings.push(
      warning(
        'Members are connected, but none is in the gossip mesh. If that lasts for a minute, look at loam logs --topic network --level debug.'
      )
    )
  return findings
}

/** Whether others can connect to this peer directly, and what to do if they cannot. */
function wayIn(view: NetworkView): NetworkFinding[] {
  const { observed, autoNat, inbound, reservations, addresses, members } = view
  const outside = observed.find(({ isOwn }) => !isOwn)
  const isAnnounced = addresses.some(
    ({ kind, announced }) => announced && kind !== 'transport' && kind !== 'observed'
  )
  if (outside === undefined && autoNat !== 'unreachable') return []
  if (inbound > 0 || reservations.length > 0 || autoNat === 'reachable') return []
  const port = addresses.flatMap(({ address, kind }) => (kind === 'transport' ? portOf(address) : []))[0]
  const seen =
    outside === undefined
      ? 'Others could not dial its public address: a firewall is in the way.'
      : `It is behind a router: others see it at ${hostsOf(outside.address)[0]}, which is not an address of this machine, and no peer has dialled it.`
  const ways = `Open TCP port ${port ?? 'of --listen'}${outside === undefined ? '' : ` and forward it to this machine, and announce it with --announce /ip4/${hostsOf(outside.address)[0]}/tcp/${port ?? 'PORT'}`}; or let the router do it with --upnp; or name a relay with --relay ADDRESS (loam relay).`
  if (isAnnounced)
    return [
      warning(
        `${seen} An outside address is announced: make sure that the port is forwarded to this machine.`
      )
    ]
  const text = `${seen} Members behind routers cannot reach it. ${ways}`
  // A peer that can dial everybody itself has no problem today.
  return [members.connected < members.others ? action(text) : warning(text)]
}

function clocks({ clocks }: NetworkView): NetworkFinding[] {
  const verdict = judgeClocks(clocks)
  const set = 'Synchronise it by NTP (timedatectl set-ntp true).'
  switch (verdict.type) {
    case 'own':
      return [
        action(
          `This machine's clock is ${apart(verdict.aheadMs)} of ${verdict.agreeing} of ${verdict.asked} peers. ${set}`
        )
      ]
    case 'either':
      return [
        action(
          `This machine's clock is ${apart(verdict.aheadMs)} of that of ${verdict.peerId}, and no third clock tells which one is wrong. Compare both with NTP (timedatectl status).`
        )
      ]
    case 'others':
      return verdict.peers.map(({ peerId, aheadMs }) =>
        warning(
          `The clock of ${peerId} is ${apart(-aheadMs)} of this machine's and of most others. Tell its operator.`
        )
      )
    default:
      return []
  }
}

/** The offset of this clock from one that is `aheadMs` ahead of it. */
function apart(aheadMs: number): string {
  const seconds = Math.abs(aheadMs) / 1_000
  const text = seconds < 120 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`
  return `${text} ${aheadMs > 0 ? 'behind' : 'ahead'}`
}

const action = (text: string): NetworkFinding => ({ level: 'action', text })
const warning = (text: string): NetworkFinding => ({ level: 'warning', text })

function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(whole) ? whole : `${whole}.`
}

/** The host of an address; none for a relayed address or one without a host. */
function hostsOf(text: string): string[] {
  const address = multiaddr(text)
  const place = hostPortOf(address)
  return place === undefined || isRelayed(address) ? [] : [place.host]
}

function portOf(text: string): number[] {
  const address = multiaddr(text)
  const place = hostPortOf(address)
  return place === undefined || isRelayed(address) ? [] : [place.port]
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.')
}
