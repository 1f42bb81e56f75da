import {
  BRIDGE,
  HOST_PORT,
  hostIn,
  type LabCommand,
  type LabHost,
  labObstacle,
  Namespaces,
  NFT_COMMAND,
  publicAddress
} from '../../../lab/network-lab/namespaces.ts'
import { DELAY_DEVICE, DelayLine, findPython, type LineReport } from './delay-line.ts'

/** Properties of the lines of a lab. */
export interface LineOptions {
  readonly hosts: number
  /** Rate of every host's line, in each direction. */
  readonly megabitsPerSecond: number
  /** One-way delay from one host to another. */
  readonly delayMs: number
  /** Packets lost between two hosts, per thousand. */
  readonly lossPerMille: number
}

/** Hosts that are each connected by a separate line with a rate, a delay and loss. */
export interface WideAreaLab {
  readonly hosts: readonly LabHost[]
  /** TCP's congestion control on the hosts. */
  readonly congestionControl: string
  /** What the line has carried; call once, at the end. */
  endLine(): Promise<LineReport>
  /** Removes all namespaces; processes in them must be stopped first. */
  end(): Promise<void>
}

const TC_COMMAND: LabCommand = { command: 'tc', option: '-V', debianPackage: 'iproute2' }
const GATEWAY = publicAddress(1)
/** Where a packet goes first after a host's line. */
const DELAY_TABLE = '100'
/** Longest queueing time on a line, as in an ordinary router; packets beyond are dropped. */
const QUEUE_MS = 100
/**
 * Without loss, packets of a connection travel in bundles, as a network card gets them: one at a time, two cores could
 * not carry eight lines of 50 Mbit/s, and the cores are not what is measured.
 */
const BUNDLE_PACKETS = 16
/**
 * Linux's default, or, if the machine does not allow it in namespaces, its more cautious predecessor, which is always
 * allowed. The machine's own setting would be inherited otherwise, and may be one that ignores loss.
 */
const CONGESTION_CONTROLS = ['cubic', 'reno']

/** Why no lab can be created here; undefined if it can. */
export async function wideAreaObstacle(): Promise<string | undefined> {
  if ((await findPython()) === undefined)
    return 'python3 is missing: it runs the forwarder that delays packets'
  return labObstacle([TC_COMMAND, NFT_COMMAND], async (namespaces, namespace) => {
    const inside = (...command: string[]) => namespaces.inside(namespace, ...command)
    await inside('nft', lossRules(10))
    await inside('ip', 'link', 'add', HOST_PORT, 'type', 'veth', 'peer', 'name', 'other')
    await inside('ip', 'link', 'add', BRIDGE, 'type', 'bridge')
    await inside(...rateLimit(HOST_PORT, 50))
    await (await DelayLine.start(namespaces, namespace, 1)).end()
  })
}

/**
 * Builds a lab: hosts on one wire, each behind a token bucket in either direction. Whatever comes off a host's line is
 * routed through a TUN device, where a forwarder delays it, and only then to the line of the host it is for.
 */
export async function buildWideAreaLab(line: LineOptions): Promise<WideAreaLab> {
  const namespaces = await Namespaces.begin()
  try {
    const wire = await namespaces.makeWire()
    const onWire = (...command: string[]) => namespaces.inside(wire, ...command)
    await namespaces.give(wire, BRIDGE, `${GATEWAY}/24`)
    for (const setting of [
      'net.ipv4.ip_forward=1',
      'net.ipv4.conf.all.rp_filter=0',
      'net.ipv4.conf.default.rp_filter=0',
      'net.ipv4.conf.all.send_redirects=0',
      `net.ipv4.conf.${BRIDGE}.rp_filter=0`,
      `net.ipv4.conf.${BRIDGE}.send_redirects=0`
    ])
      await onWire('sysctl', '-qw', setting)
    const delay = await DelayLine.start(namespaces, wire, line.delayMs)
    await onWire('ip', 'rule', 'add', 'iif', BRIDGE, 'lookup', DELAY_TABLE)
    await onWire('ip', 'route', 'add', 'default', 'dev', DELAY_DEVICE, 'table', DELAY_TABLE)
    if (line.lossPerMille > 0) await onWire('nft', lossRules(line.lossPerMille))
    const hosts: LabHost[] = []
    let congestionControl = ''
    for (let index = 0; index < line.hosts; index++) {
      const namespace = await namespaces.make(`host${index}`)
      const inHost = (...command: string[]) => namespaces.inside(namespace, ...command)
      const address = publicAddress(10 + index)
      const plug = `host${index}`
      await namespaces.plugIn(wire, namespace, plug, `${address}/32`)
      await inHost('ip', 'route', 'add', GATEWAY, 'dev', HOST_PORT)
      await inHost('ip', 'route', 'add', 'default', 'via', GATEWAY)
      congestionControl = await chooseCongestionControl(inHost)
      // Otherwise a bundle of packets would be lost as a whole.
      if (line.lossPerMille > 0) await inHost('ip', 'link', 'set', HOST_PORT, 'gso_max_segs', '1')
      else await inHost('sysctl', '-qw', `net.ipv4.tcp_min_tso_segs=${BUNDLE_PACKETS}`)
      await inHost(...rateLimit(HOST_PORT, line.megabitsPerSecond))
      await onWire(...rateLimit(plug, line.megabitsPerSecond))
      hosts.push(hostIn(namespace, address))
    }
    return { hosts, congestionControl, endLine: () => delay.end(), end: () => namespaces.end() }
  } catch (error) {
    await namespaces.end()
    throw error
  }
}

/** @returns the first that the machine allows in a namespace */
async function chooseCongestionControl(inHost: (...command: string[]) => Promise<string>): Promise<string> {
  let refusal: unknown
  for (const name of CONGESTION_CONTROLS)
    try {
      await inHost('sysctl', '-qw', `net.ipv4.tcp_congestion_control=${name}`)
      return name
    } catch (error) {
      refusal = error
    }
  throw refusal
}

function rateLimit(device: string, megabitsPerSecond: number): string[] {
  const rate = ['rate', `${megabitsPerSecond}mbit`, 'burst', '128kb', 'latency', `${QUEUE_MS}ms`]
  return ['tc', 'qdisc', 'add', 'dev', device, 'root', 'tbf', ...rate]
}

/** Each packet passes the bridge once, on its way to the forwarder. */
function lossRules(perMille: number): string {
  return (
    'add table ip loam; add chain ip loam through { type filter hook forward priority 0 ; policy accept ; }; ' +
    `add rule ip loam through iifname "${BRIDGE}" numgen random mod 1000 < ${perMille} drop`
  )
}
